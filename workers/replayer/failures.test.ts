import { expect, it } from 'vitest'
import type { DeliveryStatus } from '../../core/notification/status.ts'
import { createFailureWatch } from './failures.ts'

/** A watch on a clock moved by hand, and a ledger of its own. */
function bench() {
  let now = 0
  const ledger = new Map<string, { status: DeliveryStatus; replayEpoch: number }>()
  const watch = createFailureWatch({
    clock: { monotonic: () => now },
    look: async (ids) => ids.flatMap((id) => (ledger.has(id) ? [{ id, ...ledger.get(id)! }] : [])),
  })
  let count = 0
  return {
    replay(statuses: readonly DeliveryStatus[], replayEpoch = 1) {
      const ids = statuses.map(() => `d${++count}`)
      ids.forEach((id, index) => ledger.set(id, { status: statuses[index]!, replayEpoch }))
      watch.note(ids.map((id) => ({ id, replayEpoch: 1 })))
    },
    async later(milliseconds = 1_000) {
      now += milliseconds
      return watch.reasonToPause()
    },
  }
}
const many = (count: number, status: DeliveryStatus) => Array.from({ length: count }, () => status)

it('pauses when most have failed at two looks in a row, and not at one', async () => {
  const { replay, later } = bench()
  replay([...many(13, 'retrying'), ...many(12, 'sent')])
  expect(await later()).toBeUndefined()
  expect(await later(10)).toBeUndefined()
  expect(await later()).toBe('13 of the last 25 deliveries replayed have failed again')
})

it('goes on while half of them, or only a handful, have failed', async () => {
  const half = bench()
  half.replay([...many(20, 'dead_lettered'), ...many(20, 'sent')])
  const few = bench()
  few.replay(many(19, 'failed'))
  for (let look = 0; look < 5; look++) {
    expect(await half.later()).toBeUndefined()
    expect(await few.later()).toBeUndefined()
  }
})

it('waits for outcomes: what waits, is being sent, or still shows its old end says nothing', async () => {
  const { replay, later } = bench()
  replay(many(30, 'sending'))
  replay(many(30, 'queued'))
  replay(many(30, 'dead_lettered'), 0)
  for (let look = 0; look < 3; look++) expect(await later()).toBeUndefined()
})

it('looks at the last hundred only, and begins to count anew after a good look', async () => {
  const { replay, later } = bench()
  replay(many(50, 'failed'))
  expect(await later()).toBeUndefined()
  replay(many(100, 'sent'))
  expect(await later()).toBeUndefined()
  replay(many(60, 'failed'))
  expect(await later()).toBeUndefined()
  expect(await later()).toBe('60 of the last 100 deliveries replayed have failed again')
})
