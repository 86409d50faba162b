import type { DeliveryStatus } from '../../../core/notification/status.ts'
import type { Outcome } from '../../../core/providers/provider.ts'
import type { AttemptRef, FinishEntry } from '../ledger/ledger.ts'
import type { Decision } from './decide.ts'

/** What an attempt came to. `outcome` is null where no provider was asked. */
export interface Judgement {
  decision: Decision
  outcome: Outcome | null
  provider: string | null
  detail: string | null
}

/** What the store can surely hold of a judgement it refused: for one that comes with a write of its own, that it is poison. */
export function recordable(judgement: Judgement): Judgement {
  const { outcome } = judgement
  if (outcome === null) return { ...judgement, detail: null }
  if (outcome.class !== 'sent')
    return { ...judgement, outcome: { class: outcome.class, detail: '' }, detail: null }
  if (outcome.commitWith === undefined) return { ...judgement, outcome: { class: 'sent' } }
  return unsent({ next: 'dead_letter', reason: 'poison' }, 'the store refuses the message')
}

/** What comes of an attempt for which no provider was asked. */
export function unsent(decision: Decision, detail: string | null = null): Judgement {
  return { decision, outcome: null, provider: null, detail }
}

/** The status that a delivery gets by a decision. */
export function statusOf(decision: Decision): DeliveryStatus {
  switch (decision.next) {
    case 'end':
      return decision.status
    case 'release':
      return 'queued'
    case 'retry':
      return 'retrying'
    case 'dead_letter':
      return 'dead_lettered'
  }
}

/** What the ledger is told. @param now milliseconds since the epoch */
export function toEntry(
  ref: AttemptRef,
  claim: number,
  { decision, outcome, provider, detail }: Judgement,
  now: number,
): FinishEntry {
  const retry = decision.next === 'retry' ? decision : undefined
  const later = decision.next === 'release' ? decision : retry
  const sent = outcome?.class === 'sent' ? outcome : undefined
  const failed = outcome !== null && outcome.class !== 'sent' ? outcome : undefined
  return {
    ...ref,
    claim,
    status: statusOf(decision),
    reason: decision.reason,
    dueAt: later ? new Date(now + later.milliseconds) : null,
    uncounted: retry?.uncounted ?? false,
    outcome: outcome?.class ?? null,
    provider,
    providerMessageId: sent?.providerMessageId ?? null,
    code: failed?.code ?? null,
    detail,
    commitWith: sent?.commitWith,
  }
}
