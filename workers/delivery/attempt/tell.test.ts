import { describe, expect, it } from 'vitest'
import type { StatusChange } from '../../../core/events/delivery-event.ts'
import {
  envelope,
  failed,
  type Script,
  scriptedDelivery,
} from '../../../test/harness/fakes/scripted-delivery.ts'

const common = {
  id: envelope.id,
  notification: 'ntf_1',
  namespace: 'shop',
  channel: 'email',
  type: 'email',
  reason: null,
  attempt: 1,
  replay: 0,
}

describe('what deliver tells', () => {
  it.each<[Script, Partial<StatusChange>]>([
    [{}, { status: 'sent' }],
    [{ outcomes: [{ class: 'sent', simulated: true }] }, { status: 'simulated' }],
    [{ outcomes: [failed('rejected')] }, { status: 'failed', reason: 'provider_rejected' }],
    [{ outcomes: [failed('rate_limited')] }, { status: 'retrying', reason: 'throttled' }],
    [{ outcomes: [failed('poison')] }, { status: 'dead_lettered', reason: 'poison' }],
    [{ outcomes: [failed('maybe_sent')], onUnknown: 'Hold' }, { status: 'unknown' }],
  ])('is the outcome, without the address: %o', async (setup, expected) => {
    const { run, told } = scriptedDelivery(setup)
    await run()
    expect(told).toEqual([{ ...common, ...expected }])
  })

  it('is that it was cancelled when that came first: nothing is tried again', async () => {
    const { run, told, produced } = scriptedDelivery({
      outcomes: [failed('not_sent')],
      finished: 'cancelled',
    })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(told).toEqual([{ ...common, status: 'cancelled' }])
    expect(produced).toEqual([])
  })

  it('holds no slot when the delivery has ended, and is what the record waits for', async () => {
    const telling = Promise.withResolvers<void>()
    const result = await scriptedDelivery({ publish: () => telling.promise }).run()
    if (result.kind !== 'done') throw new Error('not done')
    let told = false
    const done = result.told!.then(() => (told = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toBe(false)
    telling.resolve()
    expect(await done).toBe(true)
  })

  it('comes before the record of the next attempt, which may else be over first', async () => {
    const away = () => Promise.reject(new Error('away'))
    const { run, produced } = scriptedDelivery({ outcomes: [failed('not_sent')], publish: away })
    expect(await run()).toMatchObject({ kind: 'park' })
    expect(produced).toEqual([])
  })

  it('is told again when the record comes again', async () => {
    const { run, told } = scriptedDelivery({
      claim: { kind: 'settled', status: 'sent', reason: null, dueAt: null },
    })
    await run()
    expect(told).toEqual([{ ...common, status: 'sent' }])
  })

  it('is nothing while there is nothing new', async () => {
    const { run, told } = scriptedDelivery({ claim: { kind: 'stale' } })
    await run()
    expect(told).toEqual([])
  })
})
