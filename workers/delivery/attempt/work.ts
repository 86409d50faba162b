import type { ConsumedRecord } from '../../../core/broker/broker.ts'
import {
  type DeliveryEnvelope,
  decodeDelivery,
  header,
  numberHeader,
} from '../../../core/notification/envelope.ts'
import type { AttemptRef } from '../ledger/ledger.ts'

/** What a record of a channel's topics turns out to be. */
export type Work =
  | { kind: 'delivery'; record: ConsumedRecord; envelope: DeliveryEnvelope; ref: AttemptRef }
  | { kind: 'poison'; record: ConsumedRecord; detail: string }
  | { kind: 'unknown_version'; version: string }

/** Reads a record of a main or retry topic. Never throws: what cannot be read is poison. */
export function readWork(record: ConsumedRecord): Work {
  const decoded = decodeDelivery(record.value, record.headers)
  if (decoded.kind === 'unknown_version') return decoded
  if (decoded.kind === 'poison') return { kind: 'poison', record, detail: decoded.detail }
  const attempt = numberHeader(record.headers, header.attempt, 1)
  const replayEpoch = numberHeader(record.headers, header.replayEpoch, 0)
  if (!isCount(attempt) || attempt === 0 || !isCount(replayEpoch))
    return { kind: 'poison', record, detail: 'bad attempt header' }
  return {
    kind: 'delivery',
    record,
    envelope: decoded.envelope,
    ref: { id: decoded.envelope.id, replayEpoch, attempt },
  }
}

/** Whether a number fits the ledger's columns. */
function isCount(value: number | undefined): value is number {
  return value !== undefined && value <= 2_147_483_647
}
