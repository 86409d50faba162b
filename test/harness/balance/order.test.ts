import { describe, expect, it } from 'vitest'
import type { LedgerDelivery } from './balance.ts'
import { outOfOrder } from './order.ts'

const delivery = (id: string, first: string | null): LedgerDelivery => ({
  id,
  notification: `n-${id}`,
  status: 'sent',
  reason: null,
  attempts: [{ attempt: 1, outcome: first, finished_at: '2026-01-01T00:00:00Z' }],
})
const accepted = (...ids: string[]) => ids.map((id) => ({ notification: `n-${id}` }))

describe('G6: the order of first attempts to a recipient', () => {
  const ledger = ['a', 'b', 'c', 'x'].map((id) => delivery(id, 'sent'))

  it('is that of the acceptance, whatever others get between them', () => {
    expect(outOfOrder([accepted('a', 'b', 'c'), accepted('x')], ['a', 'x', 'b', 'c'], ledger)).toEqual([])
  })

  it('is broken by the message that came after a later one', () => {
    expect(outOfOrder([accepted('a', 'b', 'c')], ['a', 'c', 'b'], ledger)).toEqual(['c'])
  })

  it.each(['not_sent', null])('knows no place for one whose first attempt never asked: %s', (outcome) => {
    const postponed = [delivery('a', outcome), delivery('b', 'sent')]
    expect(outOfOrder([accepted('a', 'b')], ['b', 'a'], postponed)).toEqual([])
  })

  it('knows no place for one whose first attempt was cut off on its way, and one for it if it came', () => {
    const cutOff = delivery('a', 'maybe_sent')
    const again = { attempt: 2, outcome: 'sent', finished_at: '2026-01-01T00:00:01Z' }
    const retried = [{ ...cutOff, attempts: [...cutOff.attempts, again] }, delivery('b', 'sent')]
    expect(outOfOrder([accepted('a', 'b')], ['b', 'a'], retried)).toEqual([])
    expect(outOfOrder([accepted('a', 'b')], ['b', 'a', 'a'], retried)).toEqual(['b'])
  })
})
