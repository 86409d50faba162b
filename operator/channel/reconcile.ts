import type { Admin } from '../../core/broker/broker.ts'
import { BrokerError } from '../../core/broker/broker.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import { type Ownership, PrefixTaken } from '../../core/ownership/ownership.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import type { CatalogWriter } from '../catalog-writer.ts'
import { failureCondition } from '../failure-condition.ts'
import type { Platform } from '../platform.ts'
import type { Api } from '../runtime/api/api.ts'
import { isRefused } from '../runtime/api/api-error.ts'
import { nameOf, type ObjectName } from '../runtime/api/resource-kind.ts'
import type { ConditionText } from '../runtime/conditions.ts'
import type { ReconcileContext, ReconcileResult } from '../runtime/controller.ts'
import { signalToTell } from '../runtime/signal-to-tell.ts'
import type { Cache } from '../runtime/watch/cache.ts'
import type { SecretVersions } from '../secret-versions.ts'
import type { SecretObject } from './children/credentials.ts'
import type { DeploymentObject } from './children/deployment.ts'
import type { createClaims } from './claims.ts'
import { isFalse, isTrue } from './condition-texts.ts'
import { type ChannelFindings, firstUnseen } from './conditions.ts'
import type { TopicTeller } from './corrections.ts'
import { type Credentials, resolveCredentials } from './credentials.ts'
import { childName, isOf } from './names.ts'
import type { createRemover } from './remove.ts'
import type { ChannelFacts, ChannelObject, createStatusWriter } from './status.ts'
import { ensureTopics } from './topics.ts'
import { workerCounts, workersCondition } from './workers/condition.ts'
import type { createWorkersKeeper } from './workers/ensure-workers.ts'
import type { PodObject } from './workers/obstacles.ts'

export interface ChannelReconcilerOptions {
  api: Api
  admin: Admin
  ownership: Ownership
  writer: CatalogWriter
  channels: Cache<ChannelObject>
  deployments: Cache<DeploymentObject>
  /** What workers were given of Secrets. */
  credentials: Pick<Cache<SecretObject>, 'get'>
  /** Of all channels. */
  pods: Pick<Cache<PodObject>, 'list'>
  claims: ReturnType<typeof createClaims>
  ensureWorkers: ReturnType<typeof createWorkersKeeper>
  remove: ReturnType<typeof createRemover>
  platform: Platform
  prefix: string
  /** The most copies that a topic can have: the brokers of the cluster. */
  maxReplicas: number
  statusWriter: ReturnType<typeof createStatusWriter>
  topicTeller: Pick<TopicTeller, 'tell' | 'forget'>
  secretVersions: SecretVersions
}

/** Milliseconds after which Kafka and the cluster are compared with the spec again, though no watch told of a change. */
const resync = 120_000
/** Milliseconds between looks at topics that are refused: nobody tells when they go, or when Kafka's rules change. */
const topicsPause = 15_000
/** Milliseconds between looks at whether the upgrade may go on. */
const upgradePause = 5_000

/** Why a channel cannot be served as its spec says. */
interface Refused {
  condition: 'Accepted' | 'TopicsReady'
  refusal: ConditionText
  /** What the spec says is to become of its topics, if that much can be read. */
  deletionPolicy?: NotificationChannel['spec']['topic']['deletionPolicy']
}

/** Makes topics, catalog and workers of one channel what its spec says, and says so in its status. */
export function createChannelReconciler(options: ChannelReconcilerOptions) {
  const { prefix, writer, channels, claims, platform, statusWriter, topicTeller, secretVersions } = options

  return async function reconcile(
    name: ObjectName,
    { signal, logger }: ReconcileContext,
  ): Promise<ReconcileResult> {
    const object = channels.get(name)
    if (object === undefined) {
      secretVersions.forget({ namespace: platform.namespace, name: childName(name) })
      topicTeller.forget(name)
      await options.remove(name, signal)
      return {}
    }
    const findings: ChannelFindings = {}
    const facts: ChannelFacts = {}
    const tell = async () => {
      const telling = signalToTell(signal)
      if (telling)
        await statusWriter.write(object, findings, { ...kept(statusWriter.last(object)), ...facts }, telling)
    }
    let result: ReconcileResult
    try {
      result = await look(object, findings, facts, signal)
    } catch (error) {
      // Also when the topics were there a moment ago: Kafka, or the prefix, went away in between.
      const isOfTopics = error instanceof BrokerError || error instanceof PrefixTaken
      const failed = isOfTopics ? 'TopicsReady' : firstUnseen(findings)
      if (failed !== undefined) findings[failed] = failureCondition(error)
      await tell().catch((failure: unknown) => {
        logger.warn({ err: failure }, 'Nor can the status be written')
      })
      throw error
    }
    await tell()
    return result
  }

  async function look(
    object: ChannelObject,
    findings: ChannelFindings,
    facts: ChannelFacts,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const judged = claims.judge(object)
    if (judged.kind === 'refused') {
      const refused: Refused = { condition: 'Accepted', refusal: judged.refusal }
      const former = await serveFormer(object, refused, findings, facts, signal)
      return { requeueAfter: resync, ...former }
    }
    const { channel } = judged
    findings.Accepted = isTrue('Accepted', 'the spec is valid')

    const credentials = await readCredentials(channel, signal)
    findings.CredentialsReady = credentials.condition
    const topics = await makeTopics(channel, object, signal)
    findings.TopicsReady = topics.topicsReady
    if (topics.durable) findings.Durable = topics.durable
    if (topics.hasTopics) return await serve(object, channel, credentials, findings, facts, signal)
    // Nobody may be told of a channel that has no topics.
    const { deletionPolicy } = channel.spec.topic
    const refused: Refused = { condition: 'TopicsReady', refusal: topics.topicsReady, deletionPolicy }
    const former = await serveFormer(object, refused, findings, facts, signal)
    return { requeueAfter: Math.min(topicsPause, former.requeueAfter ?? topicsPause) }
  }

  function readCredentials(channel: NotificationChannel, signal: AbortSignal): Promise<Credentials> {
    const copy = options.credentials.get(nameOfChildren(channel))
    return resolveCredentials(channel, { api: options.api, copy }, signal)
  }

  async function makeTopics(channel: NotificationChannel, object: ChannelObject, signal: AbortSignal) {
    const known = statusWriter.last(object)?.topics ?? []
    return await ensureTopics(
      channel,
      object,
      options,
      (made) => topicTeller.tell(object, made, known),
      signal,
    )
  }

  /**
   * Serves the spec that was published before, if one was, while this one cannot be. Of this one `suspend` counts all the same: who stops the workers must be
   * obeyed, whatever else is wrong.
   */
  async function serveFormer(
    object: ChannelObject,
    { condition, refusal, deletionPolicy }: Refused,
    findings: ChannelFindings,
    facts: ChannelFacts,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    findings[condition] = refusal
    const former = writer.channel(nameOf(object))
    if (former === undefined) return {}
    const { spec } = former
    const served = { ...former, spec: { ...spec, suspend: object.spec.suspend === true } }
    const message = `${refusal.message}; until then the spec that was published before serves, and of this one only suspend counts`
    findings[condition] = { ...refusal, message }
    const credentials = await readCredentials(served, signal)
    findings.CredentialsReady ??= credentials.condition
    // What somebody else has come to have meanwhile is not touched.
    if (claims.judge({ ...object, spec }).kind === 'accepted') {
      const topic = { ...spec.topic, ...(deletionPolicy && { deletionPolicy }) }
      const topics = await makeTopics({ ...served, spec: { ...spec, topic } }, object, signal)
      findings.TopicsReady ??= topics.topicsReady
      if (topics.durable) findings.Durable ??= topics.durable
    }
    return await serve(object, served, credentials, findings, facts, signal)
  }

  /** Publishes a channel and keeps its workers. */
  async function serve(
    object: ChannelObject,
    channel: NotificationChannel,
    credentials: Credentials,
    findings: ChannelFindings,
    facts: ChannelFacts,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const { main, retries, deadLetters, group } = channelTopics(
      prefix,
      channel.metadata,
      channel.spec.topic.name,
      channel.spec.delivery.retryTiers,
    )
    facts.topics = [main, ...retries.map(({ topic }) => topic), deadLetters]
    facts.consumerGroup = group
    facts.revision = await writer.publish(channel, signal)
    const result = await lookAtWorkers(object, channel, credentials, findings, facts, signal)
    if (credentials.failure !== undefined) throw credentials.failure
    return result
  }

  function nameOfChildren({ metadata }: NotificationChannel): ObjectName {
    return { namespace: platform.namespace, name: childName(metadata) }
  }

  function podsOf({ metadata }: NotificationChannel): PodObject[] {
    return options.pods.list().filter(({ metadata: { labels } }) => isOf(metadata, labels))
  }

  async function lookAtWorkers(
    object: ChannelObject,
    channel: NotificationChannel,
    { condition, found }: Credentials,
    findings: ChannelFindings,
    facts: ChannelFacts,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const secrets = condition.status === 'True' ? found : undefined
    const deployment = () => options.deployments.get(nameOfChildren(channel))
    try {
      const generation = object.metadata.generation ?? 0
      const kept = await options.ensureWorkers(channel, generation, secrets, signal)
      findings.WorkersReady = workersCondition({ deployment: deployment(), pods: podsOf(channel), ...kept })
      return { requeueAfter: kept.waitsFor === undefined ? resync : upgradePause }
    } catch (error) {
      if (!isRefused(error)) throw error
      // Trying again at once would be refused again: the channel, or a rule of the cluster, has to change first.
      findings.WorkersReady = isFalse('WorkersRefused', error.message)
      return { requeueAfter: resync }
    } finally {
      facts.workers = workerCounts(deployment())
    }
  }
}

/** What a look that ended early leaves as it was. */
function kept({ topics, consumerGroup, workers, revision }: ChannelFacts = {}): ChannelFacts {
  return {
    ...(topics && { topics }),
    ...(consumerGroup && { consumerGroup }),
    ...(workers && { workers }),
    ...(revision && { revision }),
  }
}
