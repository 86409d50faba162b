import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../core/providers/provider.ts'
import { deliveryAt, startScriptedWorker } from '../../test/harness/fakes/scripted-worker.ts'
import { catalogOf } from '../../test/harness/fakes/static-catalog.ts'
import { channelOf } from '../../test/simulation/scenario.ts'

/** A worker with one slot, whose claims and calls have taken 20 ms each so far. One more call is under way, and one more record there. */
async function oneInItsCall(delivery: object = {}) {
  const channel = channelOf({ delivery: { concurrency: 1, ...delivery } })
  const claimed: string[] = []
  const sent: string[] = []
  const finished: { id: string; status: string }[] = []
  const takes = () => new Promise<void>((resolve) => clock.after(20, resolve))
  /** Of each call to come, in the place of one after 20 ms. */
  const answers: Promise<Outcome>[] = []
  const { worker, clock, main, bring } = await startScriptedWorker({
    channel,
    catalog: catalogOf([channel]),
    ledger: {
      async claim({ id }) {
        claimed.push(id)
        await takes()
        return { kind: 'claimed', claim: 1, uncounted: 0 }
      },
      finish: async ({ id, status }) => (finished.push({ id, status }), 'recorded'),
    },
    async send(_message, { deliveryUuid }) {
      sent.push(deliveryUuid)
      const [answer] = answers
      if (answer !== undefined) return answer
      await takes()
      return { class: 'sent' }
    },
    maxConcurrent: 1,
  })
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 10) {
      clock.advance(10)
      await turn()
    }
  }
  const warm = Array.from({ length: 40 }, (_, offset) => offset)
  bring(...warm)
  await pass(4_000)
  expect(finished).toHaveLength(warm.length)
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  answers.push(promise)
  bring(40, 41)
  await pass(100)
  expect(sent.at(-1)).toBe(deliveryAt(40))
  for (const seen of [claimed, finished]) seen.splice(0, 40)
  sent.length = 0
  return { worker, main, claimed, sent, finished, pass, resolve }
}

describe('G2: what is claimed before a slot is free for it', () => {
  it('is sent as soon as one is', async () => {
    const { claimed, sent, pass, resolve } = await oneInItsCall()
    expect(claimed).toEqual([deliveryAt(40), deliveryAt(41)])
    resolve({ class: 'sent' })
    await pass(10)
    expect(sent).toEqual([deliveryAt(41)])
  })

  it('goes back unsent when the worker stops', async () => {
    const { worker, sent, finished, pass, resolve } = await oneInItsCall()
    const stopped = worker.stop()
    await pass(10)
    expect(finished).toEqual([{ id: deliveryAt(41), status: 'queued' }])
    resolve({ class: 'sent' })
    await stopped
    expect(finished.at(-1)).toEqual({ id: deliveryAt(40), status: 'sent' })
    expect(sent).toEqual([])
  })

  it('goes back unsent when its partition is lost, so that the next owner need not wait for the lease', async () => {
    const { main, sent, finished, pass, resolve } = await oneInItsCall()
    main.onRevoked(1)
    await pass(10)
    expect(finished).toEqual([{ id: deliveryAt(41), status: 'queued' }])
    resolve({ class: 'sent' })
    await pass(3_000)
    expect(sent).toEqual([])
  })

  it('goes back unsent when no call ends for a second, and is sent later', async () => {
    const { claimed, sent, finished, pass, resolve } = await oneInItsCall()
    await pass(1_000)
    expect(finished[0]).toEqual({ id: deliveryAt(41), status: 'queued' })
    resolve({ class: 'sent' })
    await pass(1_100)
    expect(claimed.length).toBeGreaterThan(2)
    expect(sent).toEqual([deliveryAt(41)])
    expect(finished.at(-1)).toEqual({ id: deliveryAt(41), status: 'sent' })
  })

  it('is nothing under Hold: a worker that dies would leave an end that nobody knows', async () => {
    const { claimed, sent, pass, resolve } = await oneInItsCall({ onUnknown: 'Hold' })
    expect(claimed).toEqual([deliveryAt(40)])
    resolve({ class: 'sent' })
    await pass(100)
    expect(sent).toEqual([deliveryAt(41)])
  })
})
