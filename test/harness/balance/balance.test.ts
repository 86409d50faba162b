import { describe, expect, it } from 'vitest'
import { balance, isClean, type LedgerDelivery } from './balance.ts'

const delivery = (id: string, status: string, outcomes: (string | null)[]): LedgerDelivery => ({
  id,
  notification: `n-${id}`,
  status,
  reason: null,
  attempts: outcomes.map((outcome, index) => ({
    attempt: index + 1,
    outcome,
    finished_at: '2026-01-01T00:00:00Z',
  })),
})

const receipt = (delivery: string) => ({ delivery, to: '/' })

const ledger = [
  delivery('a', 'sent', ['sent']),
  delivery('b', 'sent', ['interrupted', 'sent']),
  delivery('c', 'failed', ['rejected']),
]
const accepted = ledger.map(({ notification }) => ({ notification }))
const receipts = ['a', 'b', 'b'].map((id) => receipt(id))

describe('balance', () => {
  it('is clean when promises, receipts and ledger agree, and names what explains a duplicate', () => {
    const result = balance(accepted, receipts, ledger)
    expect(isClean(result)).toBe(true)
    expect(result.explained).toEqual([{ delivery: 'b', receipts: 2, by: ['interrupted'] }])
  })

  it('reports exactly the loss when one line is missing from the provider log', () => {
    const result = balance(accepted, receipts.slice(1), ledger)
    expect(result.lost).toEqual(['a'])
    expect(isClean(result)).toBe(false)
    expect({ ...result, lost: [], receipts: 3 }).toEqual(balance(accepted, receipts, ledger))
  })

  it('reports a duplicate that no claim explains', () => {
    const result = balance(accepted, [...receipts, receipt('a')], ledger)
    expect(result.unexplained).toEqual([{ delivery: 'a', receipts: 2, by: [] }])
    expect(isClean(result)).toBe(false)
  })

  it('reports a message to a recipient whose delivery failed before it was sent', () => {
    const result = balance(accepted, [...receipts, receipt('c')], ledger)
    expect(result.unexplained).toEqual([{ delivery: 'c', receipts: 1, by: [] }])
  })

  it('reports what was promised and never planned, what never ended, and what nobody asked for', () => {
    const result = balance(
      [...accepted, { notification: 'n-forgotten' }],
      [...receipts, receipt('stranger')],
      [...ledger, delivery('d', 'retrying', ['not_sent'])],
    )
    expect(result).toMatchObject({ unplanned: ['n-forgotten'], unfinished: ['d'], stray: ['stranger'] })
  })
})
