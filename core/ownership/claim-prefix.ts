import type { Broker } from '../broker/broker.ts'
import { applyTopicChanges, planTopics } from '../broker/reconcile-topics.ts'
import { installTopicSpecs, ownershipTopicSpec } from '../broker/topic-specs.ts'
import type { Logger } from '../observability/logger.ts'
import { Ownership } from './ownership.ts'
import type { Install, TopicMark } from './records.ts'

/** `takeOverFrom` of an install that was there before anything was written down, or whose ownership topic was lost. */
const unrecorded = 'unrecorded'

export interface Claim {
  prefix: string
  install: Install
  /** The id of the install whose prefix this one shall take over. */
  takeOverFrom: string | undefined
}

/** Why a prefix is not this install's to write below. Waiting may mend it: the other one may go. */
export class PrefixRefused extends Error {}

export interface PrefixParts {
  broker: Broker
  logger: Logger
  /** Throws when nothing may be written any more. */
  beforeWrite: () => void
}

/**
 * Makes the prefix this install's, if it is nobody's, and answers what is written down below it; the caller closes it. Throws PrefixRefused when it is
 * another's, and when there are topics of an install that nothing is written down of. Rejects with a BrokerError.
 * @param replicas copies of what is made
 */
export async function claimPrefix(
  { replicas, ...claim }: Claim & { replicas: number },
  parts: PrefixParts,
  signal: AbortSignal,
): Promise<Ownership> {
  const { prefix, install } = claim
  const { broker, logger, beforeWrite } = parts
  const spec = ownershipTopicSpec(prefix, replicas)
  const before = await inspectPrefix(claim, parts)
  if (before.refusal !== undefined) throw new PrefixRefused(before.refusal)
  beforeWrite()
  await applyTopicChanges(broker.admin, planTopics([spec], before.topic).changes)
  const ownership = await Ownership.open({ ...parts, prefix, install })
  const refuse = () => {
    const refusal = prefixRefusal(claim, { install: ownership.install, strangers: [] })
    if (refusal !== undefined) throw new PrefixRefused(refusal)
  }
  try {
    // Somebody else may have written himself down since the look, or does so at this moment: the later one has it.
    refuse()
    if (!ownership.isOurs) {
      await ownership.claim(signal)
      refuse()
      logger.info({ prefix, install: install.id }, "The prefix of topics is this install's from now on")
    }
    return ownership
  } catch (error) {
    await ownership.close()
    throw error
  }
}

/** What is written down below a prefix, and why this install cannot claim it, if so. Changes nothing. Rejects with a BrokerError. */
export async function inspectPrefix(claim: Claim, { broker, logger }: Omit<PrefixParts, 'beforeWrite'>) {
  const { prefix, install } = claim
  const { name } = ownershipTopicSpec(prefix, 1)
  const installTopics = installTopicSpecs(prefix, 1).map((spec) => spec.name)
  const found = await broker.admin.describeTopics([name, ...installTopics])
  const topic = found.filter((each) => each.name === name)
  const ownership =
    topic.length === 0
      ? undefined
      : await Ownership.open({ broker, logger, prefix, install, beforeWrite: () => {} })
  await ownership?.close()
  const isEmpty = ownership?.isEmpty ?? true
  const strangers = found.map((each) => each.name).filter((each) => each !== name || !isEmpty)
  return {
    /** The ownership topic, if it is there. */
    topic,
    marks: ownership?.marks ?? new Map<string, TopicMark>(),
    refusal: prefixRefusal(claim, { install: ownership?.install, strangers }),
  }
}

/**
 * Why a prefix cannot be claimed, in words, or undefined. Pure.
 * @param found the install that is written down, and the topics that an install would have made
 */
export function prefixRefusal(
  { prefix, install, takeOverFrom }: Claim,
  found: { install: Install | undefined; strangers: readonly string[] },
): string | undefined {
  const elsewhere = `set another CARILLON_TOPIC_PREFIX, or take it over with CARILLON_TAKE_OVER_FROM`
  if (found.install === undefined) {
    const [stranger] = found.strangers
    return stranger === undefined || takeOverFrom === unrecorded
      ? undefined
      : `topic ${stranger} is there, and no install is recorded for the prefix ${prefix}: ${elsewhere}=${unrecorded}`
  }
  const { id, name } = found.install
  return id === install.id || id === takeOverFrom
    ? undefined
    : `the prefix ${prefix} belongs to another install, ${name}: ${elsewhere}=${id}`
}
