import type { Admin } from '../../core/broker/broker.ts'
import { BrokerError } from '../../core/broker/broker.ts'
import { channelTopicSpecs } from '../../core/broker/topic-specs.ts'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import { kinds } from '../../core/catalog/kinds.ts'
import { keyOf } from '../../core/catalog/records.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import type { CatalogWriter } from '../catalog-writer.ts'
import type { Children } from '../children.ts'
import { createParser } from '../parser.ts'
import type { Platform } from '../platform.ts'
import type { Api } from '../runtime/api.ts'
import type { Cache } from '../runtime/cache.ts'
import type { ConditionText } from '../runtime/conditions.ts'
import type { ReconcileContext, ReconcileResult } from '../runtime/controller.ts'
import type { KubernetesObject, ObjectName } from '../runtime/resource-kind.ts'
import { credentialsSecret, type SecretObject } from './children/credentials.ts'
import { annotation, type DeploymentObject, releaseOf, workerDeployment } from './children/deployment.ts'
import { disruptionBudget } from './children/disruption-budget.ts'
import { scaledObject } from './children/scaled-object.ts'
import { type Claimant, topicCollision } from './collisions.ts'
import { type ChannelFindings, isFalse, isTrue, isUnknown } from './conditions.ts'
import { resolveCredentials } from './credentials.ts'
import { channelOf, childName } from './names.ts'
import type { ChannelFacts, ChannelObject, createStatusWriter } from './status.ts'
import { ensureTopics } from './topics.ts'
import { isRollingOut, workerCounts, workersCondition } from './workers.ts'

export interface ChannelReconcilerOptions {
  api: Api
  admin: Admin
  catalog: Pick<OpenCatalog, 'published'>
  writer: CatalogWriter
  channels: Cache<ChannelObject>
  deployments: Children<DeploymentObject>
  budgets: Children<KubernetesObject>
  credentials: Children<SecretObject>
  /** Undefined where the cluster knows no ScaledObjects. */
  scaledObjects: Children<KubernetesObject> | undefined
  platform: Platform
  /** The most copies that a topic can have: the brokers of the cluster. */
  maxReplicas: number
  writeStatus: ReturnType<typeof createStatusWriter>
}

/** Milliseconds after which Kafka and the cluster are compared with the spec again, though no watch told of a change. */
const resync = 120_000
/** Milliseconds between looks at whether the upgrade may go on. */
const upgradePause = 5_000
/** Deployments that a new release may have between two templates at a time. */
const upgradeBudget = 5

const parseChannel = createParser<NotificationChannel>(kinds.NotificationChannel)

/** Makes topics, catalog and workers of one channel what its spec says, and says so in its status. */
export function createChannelReconciler(options: ChannelReconcilerOptions) {
  const { api, admin, catalog, writer, channels, deployments, budgets, credentials, platform } = options
  const { scaledObjects } = options
  const prefix = platform.topicPrefix

  return async function reconcile(
    name: ObjectName,
    { signal, logger }: ReconcileContext,
  ): Promise<ReconcileResult> {
    const object = channels.get(name)
    if (object === undefined) {
      await remove(name, signal)
      return {}
    }
    const findings: ChannelFindings = {}
    const facts: ChannelFacts = {}
    try {
      return await look(object, findings, facts, signal)
    } catch (error) {
      if (error instanceof BrokerError) findings.TopicsReady ??= isUnknown('KafkaUnavailable', error.message)
      logger.debug({ err: error }, 'Looked in vain')
      throw error
    } finally {
      if (!signal.aborted) await options.writeStatus(object, findings, { ...kept(object), ...facts }, signal)
    }
  }

  async function look(
    object: ChannelObject,
    findings: ChannelFindings,
    facts: ChannelFacts,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const parsed = parseChannel(object)
    if (parsed.kind === 'invalid') {
      findings.Accepted = isFalse('InvalidSpec', parsed.message)
      return { requeueAfter: resync }
    }
    const channel = parsed.resource
    const refusal = refusalOf(channel, object)
    findings.Accepted = refusal ?? isTrue('Accepted', 'the spec is valid')
    if (refusal !== undefined) return { requeueAfter: resync }

    const { main, retries, deadLetters, group } = channelTopics(
      prefix,
      channel.metadata,
      channel.spec.topic.name,
      channel.spec.delivery.retryTiers,
    )
    facts.topics = [main, ...retries.map(({ topic }) => topic), deadLetters]
    facts.consumerGroup = group
    const { condition, found } = await resolveCredentials(channel, api, signal)
    findings.CredentialsReady = condition
    const topics = await ensureTopics(channel, { admin, prefix, maxReplicas: options.maxReplicas })
    findings.TopicsReady = topics.topicsReady
    findings.Durable = topics.durable
    facts.revision = await writer.publish(channel, signal)
    const isUpgraded = await ensureWorkers(channel, condition.status === 'True' ? found : undefined, signal)
    const deployment = deployments.cache.get({
      namespace: platform.namespace,
      name: childName(channel.metadata),
    })
    findings.WorkersReady = workersCondition(deployment)
    facts.workers = workerCounts(deployment)
    return { requeueAfter: isUpgraded ? resync : upgradePause }
  }

  /** Why a valid channel is not served all the same. */
  function refusalOf(channel: NotificationChannel, object: ChannelObject): ConditionText | undefined {
    const source = writer.foreignSource(keyOf(channel))
    if (source !== undefined)
      return isFalse('OwnedElsewhere', `a channel of this name was published from ${source}`)
    const claimants = channels
      .list()
      .filter(({ metadata }) => metadata.uid !== object.metadata.uid)
      .flatMap(claimantOf)
    const [wanted] = claimantOf(object) as [Claimant]
    const collision = topicCollision(wanted, claimants, prefix)
    return collision === undefined ? undefined : isFalse('TopicConflict', collision)
  }

  /**
   * @param found the Secrets, or undefined when they are not complete: the workers then go on with what they had, and new ones wait
   * @returns false when the release's upgrade has not come to this channel yet
   */
  async function ensureWorkers(
    channel: NotificationChannel,
    found: ReadonlyMap<string, SecretObject> | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const name = { namespace: platform.namespace, name: childName(channel.metadata) }
    const live = deployments.cache.get(name)
    if (found === undefined && live === undefined) return true
    const copy = found && credentialsSecret(channel, found, platform.namespace)
    const secret = copy ? await credentials.apply(copy, signal) : credentials.cache.get(name)
    const wanted = workerDeployment(channel, platform, secret)
    if (live !== undefined && isUpgrade(live) && rolling() >= upgradeBudget) return false
    await deployments.apply(wanted, signal)
    await budgets.apply(disruptionBudget(channel, platform.namespace), signal)
    await ensureScaledObject(channel, signal)
    return true
  }

  async function ensureScaledObject(channel: NotificationChannel, signal: AbortSignal): Promise<void> {
    if (scaledObjects === undefined) return
    const name = { namespace: platform.namespace, name: childName(channel.metadata) }
    const live = scaledObjects.cache.get(name)
    // KEDA scales what is suspended too, so what is suspended has no ScaledObject.
    const wanted = channel.spec.scaling.mode === 'KEDA' && !channel.spec.suspend
    if (wanted) await scaledObjects.apply(scaledObject(channel, platform), signal)
    else if (live !== undefined) await scaledObjects.delete(live, signal)
  }

  function isUpgrade(live: DeploymentObject): boolean {
    return live.spec.template.metadata?.annotations?.[annotation.release] !== releaseOf(platform)
  }

  /** Deployments under way to the release at hand. */
  function rolling(): number {
    return deployments.cache.list().filter((deployment) => !isUpgrade(deployment) && isRollingOut(deployment))
      .length
  }

  /** Nothing of a channel that is gone stays but its topics, and those too go where it said so. What is interrupted is done again. */
  async function remove(name: ObjectName, signal: AbortSignal): Promise<void> {
    for (const children of [deployments, budgets, credentials, ...(scaledObjects ? [scaledObjects] : [])]) {
      for (const object of children.cache.list()) {
        const of = channelOf(object.metadata.labels)
        if (of?.namespace === name.namespace && of.name === name.name)
          await (children as Children<KubernetesObject>).delete(object, signal)
      }
    }
    const key = `NotificationChannel/${name.namespace}/${name.name}`
    const entry = catalog.published().get(key)
    if (entry?.source !== 'kubernetes') return
    const { resource } = entry
    // Before the catalog forgets that they were to go.
    if (resource.kind === 'NotificationChannel' && resource.spec.topic.deletionPolicy === 'Delete') {
      const taken = new Set(
        channels
          .list()
          .flatMap(claimantOf)
          .flatMap(({ channel }) => channelTopicSpecs(prefix, channel).map((topic) => topic.name)),
      )
      const doomed = channelTopicSpecs(prefix, resource).map((topic) => topic.name)
      await admin.deleteTopics(doomed.filter((topic) => !taken.has(topic)))
    }
    await writer.remove([key], signal)
  }
}

/** What a look that ended early leaves as it was. */
function kept({ status }: ChannelObject): ChannelFacts {
  const { topics, consumerGroup, workers, revision } = status ?? {}
  return {
    ...(topics && { topics }),
    ...(consumerGroup && { consumerGroup }),
    ...(workers && { workers }),
    ...(revision && { revision }),
  }
}

function claimantOf(object: ChannelObject): Claimant[] {
  const parsed = parseChannel(object)
  const createdAt = object.metadata.creationTimestamp ?? ''
  return parsed.kind === 'ok' ? [{ channel: parsed.resource, createdAt }] : []
}
