import { sleep, systemClock as clock } from '../../../clock.ts'
import { type Admin, BrokerError, type TopicDescription, type TopicSpec } from '../../broker.ts'
import { withPatience } from '../patience.ts'
import type { IncrementalAlterConfigsAnswer } from '../wire/incremental-alter-configs.ts'
import { failOn, KafkaError, UNKNOWN_TOPIC_OR_PARTITION } from '../wire/kafka-error.ts'
import type { TopicPlace } from '../wire/metadata.ts'
import type { Wire } from '../wire/wire.ts'

/** Milliseconds that the cluster may take to create or delete topics before it answers. */
const TOPIC_TIMEOUT_MS = 5_000
/** Milliseconds to wait until brokers know of a new topic and its leaders, or of one that is gone, and between two looks. */
const NEWS_TIMEOUT_MS = 5_000
const NEWS_INTERVAL_MS = 50
/** Kinds of resources and sources of settings, as Kafka numbers them. */
const TOPIC_RESOURCE = 2
const TOPIC_CONFIG = 1

interface TopicErrors {
  topicErrors: { topic: string; errorCode: number; errorMessage?: string | null }[]
}

interface ConfigAnswer {
  resources: {
    errorCode: number
    resourceName: string
    configEntries: { configName: string; configValue: string | null; configSource: number }[]
  }[]
}

/** What an administrator may do to topics. Any broker forwards what only the controller can do. */
export function topicAdmin(wire: Wire): Omit<Admin, 'lag' | 'offsetsAt'> {
  async function createTopics(specs: readonly TopicSpec[]): Promise<string[]> {
    if (specs.length === 0) return []
    let before: string[] | undefined
    await withPatience(async () => {
      const isFirst = before === undefined
      before ??= []
      const answer = await wire.askAny<TopicErrors>('CreateTopics', {
        validateOnly: false,
        timeout: TOPIC_TIMEOUT_MS,
        topics: specs.map(({ name, partitions, replicas, config }) => ({
          topic: name,
          numPartitions: checkCount(partitions),
          replicationFactor: replicas,
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        })),
      })
      const exists = ({ errorCode }: { errorCode: number }) => isA(errorCode, 'TOPIC_ALREADY_EXISTS')
      // What a later try finds may be the work of an earlier one.
      if (isFirst) before = answer.topicErrors.filter(exists).map(({ topic }) => topic)
      for (const { topic, errorCode, errorMessage } of answer.topicErrors.filter((one) => !exists(one)))
        refuse(errorCode, `topic ${topic}`, errorMessage)
    })
    await awaitNews(
      specs.map(({ name }) => name),
      isLed,
    )
    return before ?? []
  }

  async function listTopics(prefix: string): Promise<string[]> {
    const names = await withPatience(() => wire.topics())
    return names.filter((name) => name.startsWith(prefix))
  }

  async function describeTopics(names: readonly string[]): Promise<TopicDescription[]> {
    if (names.length === 0) return []
    return await withPatience(async () => {
      const places = await wire.locate(names)
      const found = names.filter((name) => {
        const place = places.get(name)
        if (!place || isA(place.error, 'UNKNOWN_TOPIC_OR_PARTITION')) return false
        failOn(place.error, `topic ${name}`)
        return true
      })
      const configs = await configsOf(found)
      return found.flatMap((name) => {
        const config = configs.get(name)
        if (!config) return []
        const { partitions } = places.get(name)!
        return [{ name, partitions: partitions.length, replicas: partitions[0]?.replicas ?? 0, config }]
      })
    })
  }

  async function growPartitions(topic: string, partitions: number): Promise<void> {
    checkCount(partitions)
    await withPatience(async () => {
      const place = (await wire.locate([topic])).get(topic)
      failOn(place?.error ?? UNKNOWN_TOPIC_OR_PARTITION, `topic ${topic}`)
      const present = place!.partitions.length
      if (partitions < present) {
        throw new BrokerError('invalid', `topic ${topic} has ${present} partitions and cannot shrink`)
      }
      if (partitions === present) return
      const { topicErrors } = await wire.askAny<TopicErrors>('CreatePartitions', {
        validateOnly: false,
        timeout: TOPIC_TIMEOUT_MS,
        topicPartitions: [{ topic, count: partitions }],
      })
      for (const { errorCode, errorMessage } of topicErrors) {
        // The broker that was asked for the present count may be behind: then it has as many by now.
        if (isA(errorCode, 'INVALID_PARTITIONS') && /already has/.test(errorMessage ?? '')) continue
        refuse(errorCode, `topic ${topic}`, errorMessage)
      }
    })
  }

  async function alterConfig(topic: string, config: Readonly<Record<string, string>>): Promise<void> {
    await withPatience(async () => {
      const answer = await wire.askAny<IncrementalAlterConfigsAnswer>('IncrementalAlterConfigs', {
        topic,
        config,
      })
      failOn(answer.errorCode, `topic ${topic}`)
    })
  }

  async function deleteTopics(names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    await withPatience(async () => {
      const { topicErrors } = await wire.askAny<TopicErrors>('DeleteTopics', {
        topics: [...new Set(names)],
        timeout: TOPIC_TIMEOUT_MS,
      })
      for (const { topic, errorCode } of topicErrors) {
        if (!isA(errorCode, 'UNKNOWN_TOPIC_OR_PARTITION')) failOn(errorCode, `topic ${topic}`)
      }
    })
    await awaitNews(names, isGone)
  }

  async function configsOf(names: readonly string[]): Promise<Map<string, Record<string, string>>> {
    if (names.length === 0) return new Map()
    const { resources } = await wire.askAny<ConfigAnswer>('DescribeConfigs', {
      includeSynonyms: false,
      resources: names.map((name) => ({ type: TOPIC_RESOURCE, name })),
    })
    const configs = new Map<string, Record<string, string>>()
    for (const { resourceName, errorCode, configEntries } of resources) {
      if (isA(errorCode, 'UNKNOWN_TOPIC_OR_PARTITION')) continue
      failOn(errorCode, `topic ${resourceName}`)
      const own = configEntries.filter(({ configSource }) => configSource === TOPIC_CONFIG)
      configs.set(
        resourceName,
        Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue ?? ''])),
      )
    }
    return configs
  }

  /** Waits a while for what brokers say of topics: whoever asks next finds the same. What was asked for is done all the same. */
  async function awaitNews(
    topics: readonly string[],
    isNews: (place: TopicPlace | undefined) => boolean,
  ): Promise<void> {
    const begun = performance.now()
    while (performance.now() - begun < NEWS_TIMEOUT_MS) {
      const places = await withPatience(() => wire.locate(topics))
      if (topics.every((topic) => isNews(places.get(topic)))) return
      await sleep(clock, NEWS_INTERVAL_MS)
    }
  }

  return { createTopics, listTopics, describeTopics, growPartitions, alterConfig, deleteTopics }
}

/** A topic can be used once each of its partitions has a leader. */
function isLed(place: TopicPlace | undefined): boolean {
  const partitions = place?.partitions ?? []
  return partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)
}

function isGone(place: TopicPlace | undefined): boolean {
  return place === undefined || isA(place.error, 'UNKNOWN_TOPIC_OR_PARTITION')
}

/** Kafka takes -1 for "as the brokers have it", which is not what the port means. */
function checkCount(partitions: number): number {
  if (Number.isInteger(partitions) && partitions >= 1) return partitions
  throw new BrokerError('invalid', 'a topic has at least 1 partition')
}

function isA(code: number, type: string): boolean {
  return code !== 0 && new KafkaError(code, '').type === type
}

/** Throws with the broker's own words, which name the setting and the bound that were missed. */
function refuse(code: number, subject: string, words: string | null | undefined): void {
  failOn(code, words ? `${subject} (${words.replaceAll(/\s+/g, ' ')})` : subject)
}
