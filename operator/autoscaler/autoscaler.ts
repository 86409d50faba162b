import type { Admin } from '../../core/broker/broker.ts'
import { type Clock, sleep, type Timers } from '../../core/clock.ts'
import type { LiveWorkers } from '../../core/heartbeat/live-workers.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { parseDuration } from '../../core/resources/duration.ts'
import type { DeploymentObject } from '../channel/children/deployment.ts'
import type { ScaledObject } from '../channel/children/scaled-object.ts'
import { childName, manager } from '../channel/names.ts'
import { type HorizontalPodAutoscaler, otherOwner } from '../channel/workers/other-owners.ts'
import type { ChannelObject } from '../channel/status.ts'
import { failureCondition } from '../failure-condition.ts'
import { deployments } from '../kinds.ts'
import type { Api } from '../runtime/api/api.ts'
import type { Cache } from '../runtime/watch/cache.ts'
import type { ConditionText } from '../runtime/conditions.ts'
import type { RecordEvent } from '../runtime/events.ts'
import type { OptionalCache } from '../runtime/watch/optional-cache.ts'
import { keyOf, nameOf, type ObjectName, parseKey } from '../runtime/api/resource-kind.ts'
import { decide, initialState, type ScalingState } from './decide.ts'
import { explain, scalingCondition } from './explain.ts'
import { Inflow } from './inflow.ts'
import type { ScalingInputs } from './inputs.ts'
import type { AutoscalerMetrics } from './metrics.ts'
import { kedaCondition } from './keda-condition.ts'
import { type ChannelReading, readChannels } from './readings.ts'
import type { createScalingStatusWriter } from './status.ts'
import { readWorkers, type WorkersReading } from './workers.ts'

export interface AutoscalerOptions {
  api: Api
  admin: Pick<Admin, 'lag' | 'offsetsAt'>
  /** The channels that are served: those of the catalog. */
  channels: () => NotificationChannel[]
  objects: Cache<ChannelObject>
  workloads: Cache<DeploymentObject>
  liveWorkers: Pick<LiveWorkers, 'list'>
  podAutoscalers: Cache<HorizontalPodAutoscaler>
  scaledObjects: OptionalCache<ScaledObject>
  prefix: string
  /** Namespace of the workers. */
  namespace: string
  writeStatus: ReturnType<typeof createScalingStatusWriter>
  /** Is told, at every look, of a channel of which a topic does not exist. */
  onTopicless: (channel: ObjectName) => void
  recordEvent: RecordEvent
  clock: Clock & Timers
  logger: Logger
  metrics: AutoscalerMetrics
}

/** Milliseconds between two looks: a sleeping channel wakes within them. */
const interval = 5_000
/** Milliseconds that the first look waits for the heartbeats of the workers, and between two looks for them. */
const heartbeatsPatience = 15_000
const heartbeatsPause = 100

/** Looks at all channels every few seconds and sets the replicas of those whose mode is `Native`; of all of them it tells what it saw. */
export class Autoscaler {
  readonly #options: AutoscalerOptions
  readonly #states = new Map<string, { scaling: ScalingState; inflow: Inflow }>()
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(options: AutoscalerOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options
    const { signal } = this.#stopping
    await this.#awaitHeartbeats(signal)
    while (!signal.aborted) {
      try {
        await this.#look(signal)
      } catch (error) {
        if (!signal.aborted) logger.error({ err: error }, 'The look at the channels failed')
      }
      await sleep(clock, interval, signal)
    }
  }

  /** What has not been read yet is not what cannot be read: of every channel that would be told, and taken back, whenever an operator begins to lead. */
  async #awaitHeartbeats(signal: AbortSignal): Promise<void> {
    const { clock, liveWorkers } = this.#options
    const deadline = clock.monotonic() + heartbeatsPatience
    while (liveWorkers.list() === undefined && clock.monotonic() < deadline && !signal.aborted)
      await sleep(clock, heartbeatsPause, signal)
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { admin, prefix, clock, metrics, logger } = this.#options
    const channels = this.#options.channels()
    const begun = clock.monotonic()
    const { readings, topicless } = await readChannels(admin, channels, prefix, clock.now())
    metrics.sweep.set((clock.monotonic() - begun) / 1000)
    for (const channel of topicless) this.#options.onTopicless(channel)
    // Of a channel that is gone, or that somebody else scales, nothing is known any more; a gauge would go on saying what was.
    const native = channels.filter(({ spec }) => spec.scaling.mode === 'Native')
    const scaled = new Set(native.map(({ metadata }) => keyOf(metadata)))
    for (const key of this.#states.keys()) {
      if (scaled.has(key)) continue
      this.#states.delete(key)
      for (const gauge of [metrics.desired, metrics.capacity]) gauge.remove(labelsOf(parseKey(key)))
    }
    for (const channel of channels) {
      try {
        await this.#settle(channel, readings.get(keyOf(channel.metadata)), signal)
      } catch (error) {
        // One channel must not keep the others from their workers.
        if (!signal.aborted) logger.error({ err: error, channel: keyOf(channel.metadata) }, 'Scaling failed')
      }
    }
  }

  async #settle(
    channel: NotificationChannel,
    reading: ChannelReading | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { objects, workloads, namespace, liveWorkers, writeStatus } = this.#options
    const { namespace: tenant, name } = channel.metadata
    const object = objects.get({ namespace: tenant, name })
    const deployment = workloads.get({ namespace, name: childName(channel.metadata) })
    if (object === undefined || deployment === undefined) return
    const workers = readWorkers(channel, liveWorkers.list({ namespace: tenant, name }))
    const scaling = await this.#scale(channel, object, deployment, reading, workers, signal)
    const { activeProvider, condition: provider } = workers
    const { lag, deadLetters } = reading ?? {}
    await writeStatus(object, { scaling, provider, activeProvider, lag, deadLetters }, signal)
  }

  async #scale(
    channel: NotificationChannel,
    object: ChannelObject,
    deployment: DeploymentObject,
    reading: ChannelReading | undefined,
    workers: WorkersReading,
    signal: AbortSignal,
  ): Promise<ConditionText> {
    const { mode } = channel.spec.scaling
    if (mode === 'None')
      return {
        status: 'True',
        reason: 'Disabled',
        message: 'whoever sets the replicas of the Deployment decides',
      }
    const owner = otherOwner(deployment.metadata.name, this.#options, { keda: mode === 'KEDA' })
    if (owner !== undefined)
      return {
        status: 'False',
        reason: 'AnotherOwner',
        message: `${owner} sets the replicas too, so the operator does not: delete it, or set scaling.mode to None`,
      }
    if (mode === 'KEDA') {
      const { scaledObjects } = this.#options
      const { served: installed, refusal } = scaledObjects
      const live = scaledObjects.get(nameOf(deployment))
      return kedaCondition(live, { installed, refusal, suspended: channel.spec.suspend })
    }

    const { api, clock, metrics, logger, namespace, recordEvent } = this.#options
    const key = keyOf(channel.metadata)
    const now = clock.monotonic()
    const known = this.#states.get(key) ?? { scaling: initialState(now), inflow: new Inflow() }
    const current = deployment.spec.replicas ?? 1
    const lag = reading && { ...reading, inflow: known.inflow.note(now, reading.end) }
    const decision = decide(known.scaling, { ...inputsOf(channel, workers), current, lag }, now)
    const { replicas, reason, state } = decision
    const labels = labelsOf(channel.metadata)
    metrics.desired.set(labels, replicas)
    if (state.capacity !== undefined) metrics.capacity.set(labels, state.capacity)
    const direction = replicas > current ? 'up' : replicas < current ? 'down' : 'none'
    metrics.decisions.inc({ direction, reason })
    if (replicas !== current) {
      const target = { namespace, name: deployment.metadata.name, subresource: 'scale' }
      try {
        await api.merge(deployments, target, { spec: { replicas } }, { fieldManager: manager }, signal)
      } catch (error) {
        if (signal.aborted) throw error
        // Nothing has changed that would have to show its effect first: the next look decides anew, by all that was seen.
        const { lastUpAt, lastDownAt } = known.scaling
        this.#states.set(key, { ...known, scaling: { ...state, lastUpAt, lastDownAt } })
        logger.warn({ err: error, channel: key }, 'Not scaled; it is tried again')
        return failureCondition(error)
      }
      logger.info({ channel: key, from: current, to: replicas, reason, due: lag?.due }, 'Scaled')
      const note = `from ${current} to ${replicas} workers: ${explain(reason)}`
      recordEvent(object, { type: 'Normal', reason: 'Rescaled', action: 'Scale', note })
    }
    this.#states.set(key, { ...known, scaling: state })
    return scalingCondition(decision)
  }
}

function labelsOf({ namespace, name }: ObjectName) {
  return { namespace, channel: name }
}

function inputsOf(
  { spec }: NotificationChannel,
  { capacity, paused }: WorkersReading,
): Omit<ScalingInputs, 'current' | 'lag'> {
  const { minReplicas, maxReplicas, lagThreshold, targetDrain, idleAfter, fallback } = spec.scaling
  // What a worker is planned for is the first provider; the others count when it fails.
  const limit = spec.providers[0]?.rateLimit
  return {
    policy: {
      minReplicas,
      maxReplicas,
      lagThreshold,
      targetDrain: parseDuration(targetDrain),
      idleAfter: parseDuration(idleAfter),
      fallback: { replicas: fallback.replicas, after: parseDuration(fallback.after) },
    },
    suspended: spec.suspend,
    partitions: spec.topic.partitions,
    capacity,
    paused,
    providerRate: limit && limit.limit / (parseDuration(limit.interval) / 1000),
  }
}
