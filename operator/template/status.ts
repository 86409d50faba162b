import type { Clock } from '../../core/clock.ts'
import type { TemplateConditionType } from '../../core/resources/condition.ts'
import type { NotificationTemplateStatus } from '../../core/resources/template.ts'
import { AppliedStatus } from '../applied-status.ts'
import { manager } from '../channel/names.ts'
import { templates } from '../kinds.ts'
import type { Api } from '../runtime/api/api.ts'
import type { Cache } from '../runtime/watch/cache.ts'
import { type ConditionText, nextConditions, otherReasons, transitions } from '../runtime/conditions.ts'
import type { RecordEvent } from '../runtime/events.ts'
import type { KubernetesObject } from '../runtime/api/resource-kind.ts'

/** A NotificationTemplate as the API server has it: its spec may yet turn out invalid. */
export interface TemplateObject extends KubernetesObject {
  spec: Record<string, unknown>
  status?: NotificationTemplateStatus
}

export type TemplateFacts = Pick<NotificationTemplateStatus, 'revision' | 'locales' | 'channels'>

export interface TemplateStatusOptions {
  api: Pick<Api, 'apply'>
  objects: Cache<TemplateObject>
  clock: Clock
  recordEvent: RecordEvent
}

/** Writes the status of templates, and tells when one begins or ceases to serve. */
export function createTemplateStatusWriter({ api, objects, clock, recordEvent }: TemplateStatusOptions) {
  const applied = new AppliedStatus<TemplateObject, NotificationTemplateStatus>({
    api,
    kind: templates,
    objects,
    fieldManager: manager,
    part: ({ status }) => status,
    clock,
  })
  return {
    isForeign: (object: TemplateObject) => applied.isForeign(object),
    /** What was said last of the template. */
    last: (object: TemplateObject) => applied.last(object),
    /** Writes if there is anything new to say. */
    async write(
      object: TemplateObject,
      texts: Record<TemplateConditionType, ConditionText>,
      facts: TemplateFacts,
      signal: AbortSignal,
    ): Promise<void> {
      const generation = object.metadata.generation ?? 0
      const before = applied.last(object)?.conditions ?? []
      const conditions = nextConditions(before, texts, { generation, now: clock.now() })
      const status = { observedGeneration: generation, conditions, ...facts }
      if (!(await applied.apply(object, status, signal))) return
      const changed = [...transitions(before, conditions), ...otherReasons(before, conditions)]
      for (const { type, status, reason, message } of changed) {
        if (type !== 'Ready') continue
        recordEvent(object, {
          type: status === 'True' ? 'Normal' : 'Warning',
          reason,
          action: type,
          note: message,
        })
      }
    },
  }
}
