import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RecordToHold } from '../../core/store/held-records.ts'
import type { Ledger } from '../../workers/delivery/ledger/ledger.ts'
import { finishEntry, numberedId } from '../harness/ledger-rows.ts'

/** A store of deliveries with the ledger over it, and what a test must do or see beside the ledger. */
export interface LedgerBench {
  open(workerId: string): Ledger
  /** Records a delivery as the planner does: queued, never claimed. */
  queue(id: string): Promise<void>
  /** Lets the lease of a delivery run out, as time would. */
  expireLease(id: string): Promise<void>
  statusOf(id: string): Promise<string | undefined>
  /** In order of attempt and claim. */
  attemptsOf(id: string): Promise<{ attempt: number; claim: number; owner: string; outcome: string | null }[]>
  /** The value of the record that is kept for a delivery. */
  heldOf(id: string): Promise<string | undefined>
  close(): Promise<void>
}

const lease = { leaseMilliseconds: 60_000 }
const ref = (id: string, attempt = 1, replayEpoch = 0) => ({ id, attempt, replayEpoch })

/** What every ledger must do: the one on PostgreSQL, and the one that the simulation runs on. */
export function describeLedger(name: string, start: () => Promise<LedgerBench>): void {
  describe(name, () => {
    let bench: LedgerBench
    let count = 0
    beforeAll(async () => {
      bench = await start()
    })
    afterAll(() => bench?.close())

    const worker = (workerId: string) => bench.open(workerId)
    const newId = () => numberedId(++count)
    async function newDelivery(): Promise<string> {
      const id = newId()
      await bench.queue(id)
      return id
    }

    it('gives a delivery to one worker, and to nobody else while its lease holds', async () => {
      const id = await newDelivery()
      expect(await worker('a').claim({ ...ref(id), ...lease })).toEqual({
        kind: 'claimed',
        claim: 1,
        uncounted: 0,
      })
      const second = await worker('b').claim({ ...ref(id), ...lease })
      expect(second).toMatchObject({ kind: 'busy' })
      expect(second.kind === 'busy' && second.milliseconds).toBeGreaterThan(50_000)
      expect(await worker('b').finish(finishEntry(id))).toBe('lost')
      expect(await worker('a').finish(finishEntry(id))).toBe('recorded')
      expect(await worker('b').claim({ ...ref(id), ...lease })).toMatchObject({
        kind: 'settled',
        status: 'sent',
      })
      expect(await worker('b').claim({ ...ref(id, 2), ...lease })).toEqual({ kind: 'stale' })
    })

    it('takes a claim back as if it had not been made: the same attempt is claimed again, and only once', async () => {
      const id = await newDelivery()
      const release = { status: 'queued', reason: 'throttled', outcome: 'rate_limited' } as const
      for (let round = 0; round < 5; round++) {
        expect(await worker('a').claim({ ...ref(id), ...lease })).toMatchObject({ kind: 'claimed', claim: 1 })
        expect(await worker('a').finish(finishEntry(id, release))).toBe('recorded')
        expect(await worker('a').finish(finishEntry(id, release))).toBe('lost')
      }
      expect(await worker('b').claim({ ...ref(id), ...lease })).toMatchObject({ kind: 'claimed', claim: 1 })
      expect(await bench.attemptsOf(id)).toEqual([{ attempt: 1, claim: 1, owner: 'b', outcome: null }])
      expect(await worker('b').finish(finishEntry(id))).toBe('recorded')
      expect(await worker('b').claim({ ...ref(id), ...lease })).toMatchObject({ kind: 'settled' })
    })

    it('lets exactly one of many workers win, however they race', async () => {
      const ids = await Promise.all(Array.from({ length: 20 }, newDelivery))
      const workers = ['a', 'b', 'c', 'd'].map(worker)
      const results = await Promise.all(
        workers.flatMap((ledger, turn) =>
          (turn % 2 ? ids : ids.toReversed()).map(async (id) => ({
            id,
            result: await ledger.claim({ ...ref(id), ...lease }),
          })),
        ),
      )
      for (const id of ids) {
        expect(results.filter((entry) => entry.id === id && entry.result.kind === 'claimed')).toHaveLength(1)
      }
    })

    it('hands over an expired claim, and the one who lost it can record nothing', async () => {
      const id = await newDelivery()
      await worker('frozen').claim({ ...ref(id), ...lease })
      await bench.expireLease(id)
      expect(await worker('b').claim({ ...ref(id), ...lease })).toEqual({
        kind: 'claimed',
        claim: 2,
        uncounted: 0,
      })
      expect(await worker('frozen').finish(finishEntry(id))).toBe('lost')
      expect(await worker('b').finish(finishEntry(id, { claim: 2 }))).toBe('recorded')
      expect(await bench.attemptsOf(id)).toEqual([
        { attempt: 1, claim: 1, owner: 'frozen', outcome: 'interrupted' },
        { attempt: 1, claim: 2, owner: 'b', outcome: 'sent' },
      ])
    })

    it('gives the last claim before poison only to who has nothing else under way, and costs nobody a claim before', async () => {
      const id = await newDelivery()
      const ledger = worker('a')
      for (const claim of [1, 2]) {
        expect(await ledger.claim({ ...ref(id), ...lease })).toMatchObject({ kind: 'claimed', claim })
        expect(await ledger.claim({ ...ref(id), ...lease })).toMatchObject({ kind: 'busy' })
        await bench.expireLease(id)
      }
      for (let round = 0; round < 3; round++)
        expect(await ledger.claim({ ...ref(id), ...lease })).toEqual({ kind: 'only_alone' })
      const alone = { ...ref(id), ...lease, alone: true }
      expect(await ledger.claim(alone)).toMatchObject({ kind: 'claimed', claim: 3 })
      await ledger.finish(finishEntry(id, { claim: 3, status: 'queued', outcome: 'rate_limited' }))
      expect(await ledger.claim({ ...ref(id), ...lease })).toEqual({ kind: 'only_alone' })
      expect(await ledger.claim(alone)).toMatchObject({ kind: 'claimed', claim: 3 })
      await bench.expireLease(id)
      // Poison, for which nobody need wait; and another attempt is another matter.
      expect(await ledger.claim({ ...ref(id), ...lease })).toMatchObject({ kind: 'claimed', claim: 4 })
      await bench.expireLease(id)
      expect(await ledger.claim({ ...ref(id, 2), ...lease })).toMatchObject({ kind: 'claimed', claim: 1 })
    })

    it('does not take its own earlier claim for the new one', async () => {
      const id = await newDelivery()
      const ledger = worker('a')
      await ledger.claim({ ...ref(id), ...lease })
      await bench.expireLease(id)
      await ledger.claim({ ...ref(id), ...lease })
      expect(await ledger.finish(finishEntry(id, { claim: 1 }))).toBe('lost')
      expect(await ledger.finish(finishEntry(id, { claim: 2 }))).toBe('recorded')
    })

    it('lets the newer attempt through and drops the older', async () => {
      const id = await newDelivery()
      const ledger = worker('a')
      await ledger.claim({ ...ref(id), ...lease })
      const dueAt = new Date(Date.now() + 30_000)
      await ledger.finish(
        finishEntry(id, { status: 'retrying', outcome: 'rate_limited', dueAt, uncounted: true }),
      )
      expect(await ledger.claim({ ...ref(id), ...lease })).toMatchObject({
        kind: 'settled',
        status: 'retrying',
        dueAt,
      })
      expect(await ledger.claim({ ...ref(id, 2), ...lease })).toEqual({
        kind: 'claimed',
        claim: 1,
        uncounted: 1,
      })
      expect(await ledger.claim({ ...ref(id, 1), ...lease })).toEqual({ kind: 'stale' })
    })

    it('sends a dead letter again only for a newer replay epoch, and never what was sent', async () => {
      const dead = await newDelivery()
      const sent = await newDelivery()
      const ledger = worker('a')
      for (const [id, status] of [
        [dead, 'dead_lettered'],
        [sent, 'sent'],
      ] as const) {
        await ledger.claim({ ...ref(id), ...lease })
        await ledger.finish(finishEntry(id, { status }))
      }
      expect(await ledger.claim({ ...ref(dead, 1, 1), ...lease })).toMatchObject({
        kind: 'claimed',
        claim: 1,
      })
      expect(await ledger.claim({ ...ref(dead, 9, 0), ...lease })).toEqual({ kind: 'stale' })
      expect(await ledger.claim({ ...ref(sent, 1, 1), ...lease })).toEqual({ kind: 'stale' })
    })

    it('gives a replay the whole budget of attempts, and not what rate limits left uncounted before', async () => {
      const id = await newDelivery()
      const ledger = worker('a')
      await ledger.claim({ ...ref(id), ...lease })
      await ledger.finish(finishEntry(id, { status: 'retrying', outcome: 'rate_limited', uncounted: true }))
      await ledger.claim({ ...ref(id, 2), ...lease })
      await ledger.finish(finishEntry(id, { attempt: 2, status: 'dead_lettered', outcome: 'not_sent' }))
      expect(await ledger.claim({ ...ref(id, 1, 1), ...lease })).toMatchObject({ claim: 1, uncounted: 0 })
      await ledger.finish(
        finishEntry(id, { ...ref(id, 1, 1), status: 'retrying', outcome: 'auth', uncounted: true }),
      )
      expect(await ledger.claim({ ...ref(id, 2, 1), ...lease })).toMatchObject({ claim: 1, uncounted: 1 })
    })

    it('keeps a retry that its topic does not take, once, for as long as the delivery waits for it', async () => {
      const id = await newDelivery()
      const ledger = worker('a')
      const next = (attempt: number): RecordToHold => ({
        topic: 'p.shop.email.retry.30s',
        key: null,
        value: Buffer.from(String(attempt)),
        headers: {},
        delivery: id,
        state: { status: 'retrying', ...ref(id, attempt) },
      })
      await ledger.hold(next(1))
      expect(await bench.heldOf(id)).toBeUndefined()
      for (const attempt of [1, 2]) {
        await ledger.claim({ ...ref(id, attempt), ...lease })
        await ledger.finish(finishEntry(id, { attempt, status: 'retrying', dueAt: new Date() }))
        // Also when the record of the attempt before comes late, in the same batch.
        await Promise.all([attempt, attempt, attempt - 1].map((each) => ledger.hold(next(each))))
        expect(await bench.heldOf(id)).toEqual(String(attempt))
        const settled = { kind: 'settled', status: 'retrying', reason: 'topic_unavailable' }
        expect(await ledger.claim({ ...ref(id, attempt), ...lease })).toMatchObject(settled)
      }
      await ledger.hold(next(1))
      expect(await bench.heldOf(id)).toEqual('2')
    })

    it('commits what goes with an outcome together with it, or not at all', async () => {
      const [id, lost, bad] = await Promise.all([newDelivery(), newDelivery(), newDelivery()])
      const ledger = worker('a')
      await Promise.all([id, bad].map((delivery) => ledger.claim({ ...ref(delivery), ...lease })))
      const writes: string[] = []
      const commitWith = (name: string) => async () => {
        if (name === bad) throw new Error('cannot be stored')
        writes.push(name)
      }
      const results = await Promise.allSettled(
        [id, lost, bad].map((name) => ledger.finish(finishEntry(name, { commitWith: commitWith(name) }))),
      )
      expect(results).toMatchObject([{ value: 'recorded' }, { value: 'lost' }, { status: 'rejected' }])
      // Twice for `id`: the first transaction was rolled back with the entry that failed, and the entry was then written alone.
      expect(new Set(writes)).toEqual(new Set([id]))
      expect(await ledger.claim({ ...ref(bad), ...lease })).toMatchObject({ kind: 'busy' })
    })

    it('records an outcome whatever provider and template have put into their words', async () => {
      const id = await newDelivery()
      const ledger = worker('a')
      await ledger.claim({ ...ref(id), ...lease })
      const halfAnEmoji = '😀'.slice(0, 1)
      const words = { providerMessageId: 'NUL \0', detail: `cut off within ${halfAnEmoji}` }
      expect(await ledger.finish(finishEntry(id, words))).toBe('recorded')
    })

    it('answers for each of two records of one delivery in one batch', async () => {
      const id = await newDelivery()
      const ledger = worker('a')
      const results = await Promise.all([
        ledger.claim({ ...ref(id), ...lease }),
        ledger.claim({ ...ref(id), ...lease }),
      ])
      expect(results.map(({ kind }) => kind).toSorted()).toEqual(['busy', 'claimed'])
    })

    it('gives the newest of several records of one delivery its claim, whichever came first', async () => {
      for (const order of [
        [1, 2],
        [2, 1],
      ] as const) {
        const id = await newDelivery()
        const ledger = worker('a')
        const results = await Promise.all(
          order.map((attempt) => ledger.claim({ ...ref(id, attempt), ...lease })),
        )
        const newest = order.indexOf(2)
        expect(results[newest]).toMatchObject({ kind: 'claimed' })
        expect(results[1 - newest]).toEqual({ kind: 'busy', milliseconds: 0 })
        expect(await ledger.claim({ ...ref(id, 1), ...lease })).toEqual({ kind: 'stale' })
      }
    })

    it('takes the outcome of the claim that holds, not of an older one that comes with it', async () => {
      const id = await newDelivery()
      const ledger = worker('a')
      await ledger.claim({ ...ref(id), ...lease })
      await bench.expireLease(id)
      await ledger.claim({ ...ref(id), ...lease })
      const old = finishEntry(id, {
        claim: 1,
        status: 'failed',
        reason: 'provider_rejected',
        outcome: 'rejected',
      })
      expect(await Promise.all([ledger.finish(old), ledger.finish(finishEntry(id, { claim: 2 }))])).toEqual([
        'lost',
        'recorded',
      ])
      expect(await bench.statusOf(id)).toBe('sent')
    })

    it('gives up a delivery that waits for a retry which cannot be written, and no other', async () => {
      const [id, newer] = [await newDelivery(), await newDelivery()]
      const ledger = worker('a')
      const retrying = { status: 'retrying', outcome: 'not_sent', dueAt: new Date() } as const
      for (const delivery of [id, newer]) {
        await ledger.claim({ ...ref(delivery), ...lease })
        expect(await ledger.giveUp(ref(delivery), 'too_large')).toBe(false)
        await ledger.finish(finishEntry(delivery, retrying))
      }
      expect(await ledger.giveUp(ref(id), 'invalid_record')).toBe(true)
      expect(await ledger.giveUp(ref(id), 'too_large')).toBe(false)
      expect(await ledger.claim({ ...ref(id), ...lease })).toMatchObject({
        kind: 'settled',
        status: 'dead_lettered',
        reason: 'invalid_record',
      })
      await ledger.claim({ ...ref(newer, 2), ...lease })
      expect(await ledger.giveUp(ref(newer), 'too_large')).toBe(false)
      expect(await bench.statusOf(newer)).toBe('sending')
    })

    it('writes a lost row again, once, and leaves one that is there', async () => {
      const id = newId()
      const ledger = worker('a')
      const envelope = {
        id,
        notification_id: id,
        notification: 'ntf_1',
        tenant: 'shop',
        channel: 'email',
        channel_type: 'email',
        recipient: 'user:ada',
        address: 'ada@example.com',
        user: { id: 'ada' },
        data: {},
        metadata: {},
        accepted_at: '2026-01-01T00:00:00.000Z',
      } as const
      await ledger.restore(envelope)
      expect(await ledger.claim({ ...ref(id), ...lease })).toMatchObject({ kind: 'claimed' })
      await ledger.restore(envelope)
      expect(await ledger.claim({ ...ref(id), ...lease })).toMatchObject({ kind: 'busy' })
    })

    it('tells a delivery that it does not know', async () => {
      expect(await worker('a').claim({ ...ref('00000000-0000-8000-8000-ffffffffffff'), ...lease })).toEqual({
        kind: 'missing',
      })
    })
  })
}
