import type { Condition } from '../../core/resources/condition.ts'
import type { NotificationChannelStatus } from '../../core/resources/channel.ts'
import type { Clock } from '../../core/clock.ts'
import { AppliedStatus } from '../applied-status.ts'
import { channels } from '../kinds.ts'
import type { Api } from '../runtime/api/api.ts'
import type { Cache } from '../runtime/watch/cache.ts'
import { nextConditions, otherReasons, transitionEvent, transitions } from '../runtime/conditions.ts'
import type { RecordEvent } from '../runtime/events.ts'
import type { KubernetesObject } from '../runtime/api/resource-kind.ts'
import { type ChannelFindings, channelConditionTexts, isJudged } from './conditions.ts'
import { manager } from './names.ts'
import { isHindered } from './workers/condition.ts'

/** A NotificationChannel as the API server has it: its spec may yet turn out invalid. */
export interface ChannelObject extends KubernetesObject {
  spec: { suspend?: boolean } & Record<string, unknown>
  status?: NotificationChannelStatus
}

export interface StatusWriterOptions {
  api: Pick<Api, 'apply'>
  objects: Cache<ChannelObject>
  clock: Clock
  recordEvent: RecordEvent
}

/** What a look at a channel adds to its status beside the conditions. */
export type ChannelFacts = Pick<
  NotificationChannelStatus,
  'topics' | 'consumerGroup' | 'workers' | 'revision'
>

/** Writes the status of channels, and tells transitions of conditions as Events. */
export function createStatusWriter({ api, objects, clock, recordEvent }: StatusWriterOptions) {
  const applied = new AppliedStatus<ChannelObject, NotificationChannelStatus>({
    api,
    kind: channels,
    objects,
    fieldManager: manager,
    part: ({ status }) => status && judgedPart(status),
    clock,
  })
  return {
    isForeign: (object: ChannelObject) => applied.isForeign(object),
    /** What was said last of the channel. */
    last: (object: ChannelObject) => applied.last(object),
    /** Writes if there is anything new to say. */
    async write(
      object: ChannelObject,
      findings: ChannelFindings,
      facts: ChannelFacts,
      signal: AbortSignal,
    ): Promise<void> {
      const generation = object.metadata.generation ?? 0
      const before = applied.last(object)?.conditions ?? []
      const texts = channelConditionTexts(findings, { suspend: object.spec.suspend === true })
      const conditions = nextConditions(before, texts, { generation, now: clock.now() })
      const status = { observedGeneration: generation, conditions, ...facts }
      if (!(await applied.apply(object, status, signal))) return
      for (const condition of news(before, conditions)) recordEvent(object, transitionEvent(condition))
      const obstacle = newObstacle(before, conditions)
      if (obstacle) recordEvent(object, { ...transitionEvent(obstacle), type: 'Warning' })
    },
  }
}

/** The autoscaler writes fields of its own into the same status. */
function judgedPart(status: NotificationChannelStatus): NotificationChannelStatus {
  const { activeProvider: _provider, lag: _lag, deadLetters: _letters, ...judged } = status
  return { ...judged, conditions: (judged.conditions ?? []).filter(({ type }) => isJudged(type)) }
}

/**
 * What somebody may want to act on: that all is as it should be is told once, by `Ready`, and what is not, once by the condition that says it, and again
 * when it is not for another reason. That workers take a moment to start is no news; what comes in their way is told apart.
 */
function news(before: readonly Condition[], after: readonly Condition[]): Condition[] {
  const workers = before.find(({ type }) => type === 'WorkersReady')
  const isStarting = workers === undefined || ['ScaledToZero', 'NoDeployment'].includes(workers.reason)
  const told = transitions(before, after).filter(
    ({ type, status, reason }) =>
      (status === 'False' || type === 'Ready') &&
      reason !== 'NoDeployment' &&
      !(isStarting && reason === 'WorkersNotReady'),
  )
  const causes = new Set(told.filter(({ type }) => type !== 'Ready').map(({ reason }) => reason))
  return [
    ...told.filter(({ type, reason }) => type !== 'Ready' || !causes.has(reason)),
    ...otherReasons(before, after).filter(({ type }) => type !== 'Ready' && type !== 'WorkersReady'),
  ]
}

/** What has come in the way of the workers, where their status is the one that it was: none ran yet, or enough others do. */
function newObstacle(before: readonly Condition[], after: readonly Condition[]): Condition | undefined {
  const find = (conditions: readonly Condition[]) => conditions.find(({ type }) => type === 'WorkersReady')
  const [was, is] = [find(before), find(after)]
  if (is === undefined || was?.status !== is.status || was.reason === is.reason) return undefined
  // That they are not there, and nothing keeps them, is the end of an obstacle.
  if (is.reason === 'WorkersNotReady') return undefined
  return is.status === 'False' || isHindered(is) ? is : undefined
}
