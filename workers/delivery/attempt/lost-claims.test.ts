import { describe, expect, it } from 'vitest'
import { header } from '../../../core/notification/envelope.ts'
import { envelope, now, scriptedDelivery, topics } from '../../../test/harness/fakes/scripted-delivery.ts'

const interrupted = { kind: 'claimed', claim: 2, uncounted: 0 } as const

describe('a delivery whose claim is not a fresh one', () => {
  it('sends nothing for what the ledger does not give it', async () => {
    const stale = scriptedDelivery({ claim: { kind: 'stale' } })
    expect(await stale.run()).toMatchObject({ kind: 'done' })
    const busy = scriptedDelivery({ claim: { kind: 'busy', milliseconds: 800 } })
    expect(await busy.run()).toEqual({ kind: 'park', milliseconds: 800 })
    // The lease is long; its holder may be done much sooner.
    const other = scriptedDelivery({ claim: { kind: 'busy', milliseconds: 35_000 } })
    expect(await other.run()).toEqual({ kind: 'park', milliseconds: 1_000 })
    expect([...stale.sends, ...busy.sends, ...other.sends]).toEqual([])
  })

  it('writes the row of a delivery again that the store lost', async () => {
    const { run, restored, sends } = scriptedDelivery({ claim: { kind: 'missing' } })
    expect(await run()).toEqual({ kind: 'park', milliseconds: 0 })
    expect(restored).toEqual([envelope.id])
    expect(sends).toEqual([])
  })

  it('writes again what had to follow an outcome that is already recorded', async () => {
    const retry = scriptedDelivery({
      claim: { kind: 'settled', status: 'retrying', reason: null, dueAt: new Date(now + 200_000) },
    })
    expect(await retry.run()).toMatchObject({ kind: 'done' })
    expect(retry.sends).toEqual([])
    expect(retry.produced).toMatchObject([
      {
        topic: `${topics.main}.retry.5m`,
        headers: { [header.attempt]: '2', [header.due]: String(now + 200_000) },
      },
    ])
    const dead = scriptedDelivery({
      claim: { kind: 'settled', status: 'dead_lettered', reason: 'poison', dueAt: null },
    })
    await dead.run()
    expect(dead.produced).toMatchObject([{ topic: topics.deadLetters }])
  })

  it('holds an interrupted delivery when told so, and repeats it otherwise or when the vendor can tell', async () => {
    const hold = scriptedDelivery({ claim: interrupted, onUnknown: 'Hold' })
    await hold.run()
    expect(hold.sends).toEqual([])
    expect(hold.finished).toMatchObject([{ status: 'unknown' }])
    for (const setup of [{ onUnknown: 'Retry' }, { onUnknown: 'Hold', idempotency: 'key' }] as const) {
      const { run, sends } = scriptedDelivery({ claim: interrupted, ...setup })
      await run()
      expect(sends).toHaveLength(1)
    }
  })

  it('waits until nothing else is under way when one claim is left to it', async () => {
    const { run, sends, finished } = scriptedDelivery({ claim: { kind: 'only_alone' } })
    expect(await run()).toEqual({ kind: 'alone' })
    expect([sends, finished]).toEqual([[], []])
  })

  it('gives up on a record whose claims end without an outcome', async () => {
    const { run, sends, finished } = scriptedDelivery({ claim: { kind: 'claimed', claim: 4, uncounted: 0 } })
    await run()
    expect(sends).toEqual([])
    expect(finished).toMatchObject([{ status: 'dead_lettered', reason: 'poison' }])
  })

  it('sends nothing when its lease no longer covers the call, and spends no attempt', async () => {
    const { run, sends, finished } = scriptedDelivery({ claimTakes: 16_000, onUnknown: 'Hold' })
    expect(await run()).toMatchObject({ kind: 'park' })
    expect(sends).toEqual([])
    expect(finished).toMatchObject([{ status: 'queued', outcome: null, uncounted: false }])
  })

  it('sends nothing that was cancelled under a claim that was lost, and does not claim to know what became of it', async () => {
    const { run, sends, finished } = scriptedDelivery({
      claim: { ...interrupted, cancelled: true },
      idempotency: 'key',
    })
    await run()
    expect([sends, finished]).toMatchObject([[], [{ status: 'unknown', outcome: null }]])
  })
})
