import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { Api } from './api/api.ts'
import type { KubernetesObject, ResourceKind } from './api/resource-kind.ts'
import { truncate } from './truncate.ts'

export const events: ResourceKind = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
}

export interface EventText {
  type: 'Normal' | 'Warning'
  /** One CamelCase word. */
  reason: string
  /** What was done, such as `Reconcile`. */
  action: string
  note: string
}

/** Bytes: the API server refuses more. */
const longestNote = 1024

export type RecordEvent = (regarding: KubernetesObject, event: EventText) => void

/**
 * Tells of transitions where people look for them: `kubectl describe`. An Event is news, not state: one that cannot be written is logged and
 * forgotten.
 */
export function createEventRecorder({
  api,
  instance,
  clock,
  logger,
}: {
  api: Api
  /** Of the operator's replicas the one that tells. */
  instance: string
  clock: Clock
  logger: Logger
}): RecordEvent {
  return ({ apiVersion, kind, metadata }, { type, reason, action, note }) => {
    const { name, namespace = 'default', uid } = metadata
    const event = {
      apiVersion: events.apiVersion,
      kind: events.kind,
      metadata: { name: `${name}.${randomUUID()}`, namespace },
      eventTime: new Date(clock.now()).toISOString().replace('Z', '000Z'),
      reportingController: 'carillon.dev/operator',
      reportingInstance: instance,
      type,
      reason,
      action,
      note: truncate(note, longestNote),
      regarding: { apiVersion, kind, name, namespace, ...(uid !== undefined && { uid }) },
    }
    api.create(events, event).catch((error: unknown) => {
      logger.warn({ err: error, reason }, 'Event not written')
    })
  }
}
