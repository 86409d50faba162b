/**
 * Names of topics and consumer groups. Dots separate the parts because a namespace and a channel cannot both be told
 * apart with dashes (`a-b` + `c` is `a` + `b-c`), and neither may contain a dot.
 */

export interface ChannelTopics {
  main: string
  /** One per retry tier, in order: `<main>.retry.30s`. */
  retries: { tier: string; topic: string }[]
  deadLetters: string
  group: string
  /** Retry topics are read by a group of their own: waiting for a due record must not keep the live topic waiting. */
  retryGroup: string
}

export const requestsTopic = (prefix: string) => `${prefix}.requests`
/** Requests that cannot be planned, as they came. */
export const requestsDeadLettersTopic = (prefix: string) => `${prefix}.requests.dlq`
/** What became of deliveries, for whoever wants to know. */
export const eventsTopic = (prefix: string) => `${prefix}.events`
export const catalogTopic = (prefix: string) => `${prefix}.catalog`
/** Whose the prefix is, and whose the topics of channels are. */
export const ownershipTopic = (prefix: string) => `${prefix}.ownership`
/** Heartbeats of the delivery workers. */
export const workersTopic = (prefix: string) => `${prefix}.workers`
export const plannerGroup = (prefix: string) => `${prefix}.planner`
/** A replay reads dead letters from their beginning, whatever others have read. */
export const replayGroup = (prefix: string, replayId: string) => `${prefix}.replay.${replayId}`

/** How the names of a channel's retry topics begin, also of those whose tier was taken out of the channel. */
export const retryTopicPrefix = (main: string) => `${main}.retry.`

const deadLettersSuffix = '.dlq'
/** Where what cannot go to this retry topic ends. */
export const deadLettersOfRetry = (retryTopic: string) =>
  retryTopic.slice(0, retryTopic.lastIndexOf(retryTopicPrefix(''))) + deadLettersSuffix

/** @param name the topic's own name when the channel asks for one, else '' @param retryTiers delays such as `30s` */
export function channelTopics(
  prefix: string,
  channel: { namespace: string; name: string },
  name: string,
  retryTiers: readonly string[],
): ChannelTopics {
  const group = `${prefix}.${channel.namespace}.${channel.name}`
  const main = name || group
  return {
    main,
    retries: retryTiers.map((tier) => ({ tier, topic: retryTopicPrefix(main) + tier })),
    deadLetters: main + deadLettersSuffix,
    group,
    retryGroup: `${group}.retry`,
  }
}
