import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../core/clock.ts'
import { header } from '../../../core/notification/envelope.ts'
import { failed, recordOf, scriptedDelivery, topics } from '../../../test/harness/fakes/scripted-delivery.ts'
import { Destinations } from '../back-pressure/destinations.ts'

describe('a delivery of which no provider is asked, or not yet', () => {
  it('ends what came too late or cannot be rendered, without asking a provider', async () => {
    const late = scriptedDelivery()
    await late.run(recordOf({ expires_at: '2026-01-01T00:00:00.000Z' }))
    expect(late.finished).toMatchObject([{ status: 'expired', reason: 'expired' }])
    const interrupted = scriptedDelivery({ claim: { kind: 'claimed', claim: 2, uncounted: 0 } })
    await interrupted.run(recordOf({ expires_at: '2026-01-01T00:00:00.000Z' }))
    expect(interrupted.finished).toMatchObject([{ status: 'unknown', reason: 'expired' }])
    const broken = scriptedDelivery({
      rendered: { kind: 'invalid', detail: 'email.subject: undefined variable' },
    })
    await broken.run()
    expect(broken.finished).toMatchObject([
      { status: 'failed', reason: 'template_invalid', detail: 'email.subject: undefined variable' },
    ])
    expect([...late.sends, ...interrupted.sends, ...broken.sends]).toEqual([])
  })

  it('waits for a template that is on its way, but not for one that is gone', async () => {
    const rendered = { kind: 'invalid', detail: 'the template is gone' } as const
    const early = scriptedDelivery({ canRender: false, rendered })
    expect(await early.run()).toMatchObject({ kind: 'park' })
    expect(early.finished).toEqual([])
    const old = { accepted_at: '2025-12-31T23:58:59.000Z' }
    const behind = scriptedDelivery({ canRender: false, isCatalogCurrent: false, rendered })
    expect(await behind.run(recordOf(old))).toMatchObject({ kind: 'park' })
    expect(behind.finished).toEqual([])
    await behind.run(recordOf({ ...old, expires_at: '2026-01-01T00:00:00.000Z' }))
    expect(behind.finished).toMatchObject([{ status: 'expired' }])
    const late = scriptedDelivery({ canRender: false, rendered })
    await late.run(recordOf(old))
    expect(late.finished).toMatchObject([{ status: 'failed', reason: 'template_invalid' }])
  })

  it('claims nothing while too much waits to be rendered', async () => {
    const busy = scriptedDelivery({ rendered: { kind: 'busy' }, claim: { kind: 'missing' } })
    expect(await busy.run()).toMatchObject({ kind: 'park' })
    // What is missing would have been restored after a claim.
    expect([busy.restored, busy.finished, busy.sends]).toEqual([[], [], []])
  })

  it('puts off what others of its template ran away with, uncounted and never in place; only what ran away itself is invalid', async () => {
    const later = (milliseconds: number) => ({ kind: 'later', milliseconds }) as const
    const short = scriptedDelivery({ rendered: later(1) })
    expect(await short.run()).toMatchObject({ kind: 'done' })
    expect(short.finished).toMatchObject([
      { status: 'retrying', reason: null, uncounted: true, outcome: null },
    ])
    expect(short.produced).toMatchObject([{ topic: topics.retries[0]!.topic }])
    const long = scriptedDelivery({ rendered: later(30_001) })
    // The last that is counted.
    await long.run(recordOf({}, { [header.attempt]: '3' }))
    expect(long.finished).toMatchObject([{ status: 'retrying', uncounted: true }])
    expect(long.produced).toMatchObject([
      { topic: topics.retries[1]!.topic, headers: { [header.attempt]: '4' } },
    ])
    // Its first attempt is when the limit of its recipient is asked, and there is only one.
    const above = scriptedDelivery({ rendered: later(1), admitted: false })
    await above.run()
    expect(above.finished).toMatchObject([{ status: 'skipped', reason: 'throttled' }])
    expect([...short.sends, ...long.sends, ...above.sends]).toEqual([])
  })

  it('leaves a destination alone: for a short time by waiting, for a long one by a retry that is not counted', async () => {
    const held =
      (heldFor: number, outFor = 0) =>
      () => ({
        heldFor,
        outFor,
        settle: () => ({ blame: 'delivery' as const, openFor: 0, outFor: 0 }),
        release: () => {},
      })
    const short = scriptedDelivery({ destination: held(2_000) })
    expect(await short.run()).toEqual({ kind: 'park', milliseconds: 2_000 })
    expect(short.finished).toEqual([])
    const long = scriptedDelivery({ destination: held(60_000) })
    expect(await long.run()).toMatchObject({ kind: 'done' })
    expect(long.finished).toMatchObject([{ status: 'retrying', uncounted: true, outcome: null }])
    expect(long.produced).toMatchObject([{ topic: topics.retries[1]!.topic }])
    const lasting = scriptedDelivery({ destination: held(2_000, 10_000) })
    expect((await lasting.run()).kind).toBe('done')
    expect([...short.sends, ...long.sends, ...lasting.sends]).toEqual([])
  })

  it('skips what is above the limit of its recipient on the first attempt only, and gives its permit back', async () => {
    const { run, finished, sends, admission } = scriptedDelivery({ admitted: false })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(finished).toMatchObject([{ status: 'skipped', reason: 'throttled' }])
    for (let index = 0; index < 50; index++) await run()
    expect(admission.canEnter()).toBe(true)
    await run(recordOf({}, { [header.attempt]: '2' }))
    expect(sends).toEqual(['provider-0'])
  })

  it('gives its claim back when no slot becomes free for it: nobody is called, and no attempt is spent', async () => {
    const { run, sends, finished, told } = scriptedDelivery({ slot: () => false })
    expect(await run()).toEqual({ kind: 'park', milliseconds: 0 })
    expect(sends).toEqual([])
    expect(finished).toMatchObject([{ status: 'queued', outcome: null, provider: null, uncounted: false }])
    expect(told).toEqual([])
  })

  it('ends as cancelled when it was cancelled while its claim waited for a slot that did not become free', async () => {
    const { run, sends, told } = scriptedDelivery({ slot: () => false, finished: 'cancelled' })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(sends).toEqual([])
    expect(told).toMatchObject([{ status: 'cancelled' }])
  })

  it('looks again, once it has its slot, whether there is time left and whether the destination may be called', async () => {
    const late = scriptedDelivery({ slotTakes: 1_000 })
    await late.run(recordOf({ expires_at: '2026-01-01T00:00:01.000Z' }))
    expect(late.sends).toEqual([])
    expect(late.finished).toMatchObject([{ status: 'expired' }])

    const destinations = new Destinations({ clock: systemClock })
    const closed = scriptedDelivery({
      destination: () => destinations.enter('a:1'),
      slot: () => {
        for (let count = 0; count < 5; count++) destinations.enter('a:1').settle(failed('not_sent'))
        return true
      },
    })
    expect(await closed.run()).toMatchObject({ kind: 'park' })
    expect(closed.sends).toEqual([])
    expect(closed.finished).toMatchObject([{ status: 'queued' }])
  })
})
