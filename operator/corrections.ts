import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/observability/logger.ts'
import { keyOf, type KubernetesObject, nameOf } from './runtime/api/resource-kind.ts'
import type { RecordEvent } from './runtime/events.ts'
import type { Correction } from './runtime/made.ts'

/** Milliseconds for which the same is not told again: what changes an object again and again may do so every second. */
const quiet = 600_000

export interface CorrectionText {
  regarding: KubernetesObject
  what: string
}

/** Of several texts for one correction the first is logged. */
export type TellCorrection = (...texts: readonly [CorrectionText, ...CorrectionText[]]) => void

/**
 * Tells whoever changed something that the operator keeps why it is no longer so: a line in the log each time, and an Event of the object, of which the same is
 * told every ten minutes at most. The reason is what Flux calls it, https://fluxcd.io/flux/components/helm/helmreleases/#drift-detection.
 */
export function createCorrectionTeller({
  recordEvent,
  logger,
  clock,
}: {
  recordEvent: RecordEvent
  logger: Logger
  clock: Clock
}): TellCorrection {
  const toldAt = new Map<string, number>()

  function tell({ regarding, what }: CorrectionText): void {
    const now = clock.monotonic()
    for (const [key, at] of toldAt) if (now - at >= quiet) toldAt.delete(key)
    const key = `${textOf(regarding)} ${what}`
    if (toldAt.has(key)) return
    toldAt.set(key, now)
    recordEvent(regarding, { type: 'Normal', reason: 'DriftCorrected', action: 'Correct', note: what })
  }

  return (...texts) => {
    const [{ regarding, what }] = texts
    logger.info({ object: textOf(regarding), correction: what }, 'Put right what somebody else had changed')
    for (const text of texts) tell(text)
  }
}

/** `Deployment namespace/name`. */
export const textOf = (object: KubernetesObject): string => `${object.kind} ${keyOf(nameOf(object))}`

/** What was put right of an object, for whoever reads its Events. */
export function describeCorrection({ fields, by }: Correction): string {
  if (fields === undefined) return 'it was deleted, and has been made again'
  const whom = by.length === 0 ? '' : `, which ${by.join(', ')} had changed`
  return `put back ${fields.join(', ')}${whom}`
}
