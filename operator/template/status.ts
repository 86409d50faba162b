import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../core/clock.ts'
import type { TemplateConditionType } from '../../core/resources/condition.ts'
import type { NotificationTemplateStatus } from '../../core/resources/template.ts'
import { manager } from '../channel/names.ts'
import { templates } from '../kinds.ts'
import type { Api } from '../runtime/api.ts'
import { type ConditionText, nextConditions, transitions } from '../runtime/conditions.ts'
import type { RecordEvent } from '../runtime/events.ts'
import type { KubernetesObject } from '../runtime/resource-kind.ts'

/** A NotificationTemplate as the API server has it: its spec may yet turn out invalid. */
export interface TemplateObject extends KubernetesObject {
  spec: Record<string, unknown>
  status?: NotificationTemplateStatus
}

export type TemplateFacts = Pick<NotificationTemplateStatus, 'revision' | 'locales' | 'channels'>

export interface TemplateStatusOptions {
  api: Api
  clock: Clock
  recordEvent: RecordEvent
}

/** Writes the status of a template if it says anything new, and tells when it begins or ceases to serve. */
export function createTemplateStatusWriter({ api, clock, recordEvent }: TemplateStatusOptions) {
  return async (
    object: TemplateObject,
    texts: Record<TemplateConditionType, ConditionText>,
    facts: TemplateFacts,
    signal: AbortSignal,
  ): Promise<void> => {
    const generation = object.metadata.generation ?? 0
    const before = object.status?.conditions ?? []
    const conditions = nextConditions(before, texts, { generation, now: clock.now() })
    const status: NotificationTemplateStatus = { observedGeneration: generation, conditions, ...facts }
    if (isDeepStrictEqual(status, object.status)) return
    const { apiVersion, kind, metadata } = object
    const { name, namespace = '' } = metadata
    await api.apply(
      templates,
      { apiVersion, kind, metadata: { name, namespace }, status } as KubernetesObject,
      { fieldManager: manager, subresource: 'status' },
      signal,
    )
    for (const { type, status, reason, message } of transitions(before, conditions)) {
      if (type !== 'Ready') continue
      recordEvent(object, {
        type: status === 'True' ? 'Normal' : 'Warning',
        reason,
        action: type,
        note: message,
      })
    }
  }
}
