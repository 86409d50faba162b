import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../core/clock.ts'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { Dispatcher, type RunResult } from './dispatcher.ts'

const done: RunResult = { kind: 'done' }

describe('G6: Dispatcher', () => {
  it('runs every task to its end once, in the order of its key, however often it is parked; what is abandoned it drops', async () => {
    const task = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      parks: fc.array(fc.nat(50), { maxLength: 3 }),
      /** After how many runs nobody wants it any more. */
      wantedFor: fc.option(fc.nat(3), { nil: Infinity }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(task, { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        async (tasks, concurrency) => {
          const manual = manualClock()
          const dispatcher = new Dispatcher({ concurrency, clock: manual })
          const runs = tasks.map(() => 0)
          const finished: number[] = []
          const active = new Set<string>()
          for (const [index, { key, parks, wantedFor }] of tasks.entries()) {
            dispatcher.enqueue({
              key,
              abandoned: () => runs[index]! >= wantedFor,
              run: async () => {
                expect(active.has(key)).toBe(false)
                active.add(key)
                expect(active.size).toBeLessThanOrEqual(concurrency)
                await Promise.resolve()
                active.delete(key)
                const milliseconds = parks[runs[index]!++]
                if (milliseconds !== undefined) return { kind: 'park', milliseconds }
                finished.push(index)
                return done
              },
            })
          }
          for (let round = 0; round < 400; round++) {
            for (let turn = 0; turn < 10; turn++) await Promise.resolve()
            manual.advance(50)
          }
          const wanted = tasks.flatMap(({ parks, wantedFor }, index) =>
            parks.length < wantedFor ? [index] : [],
          )
          expect(finished.toSorted((left, right) => left - right)).toEqual(wanted)
          for (const key of ['a', 'b', 'c', 'd', 'e']) {
            const order = finished.filter((index) => tasks[index]!.key === key)
            expect(order).toEqual(order.toSorted((left, right) => left - right))
          }
          for (const [index, { parks, wantedFor }] of tasks.entries())
            expect(runs[index]).toBe(Math.min(parks.length + 1, wantedFor))
        },
      ),
      { numRuns: 50 },
    )
  })

  it('keeps the order of each key and never runs two of one key, or more than its slots, at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), turns: fc.integer({ min: 0, max: 4 }) }),
          { maxLength: 60 },
        ),
        fc.integer({ min: 1, max: 3 }),
        async (tasks, concurrency) => {
          const dispatcher = new Dispatcher({ concurrency, clock })
          const finished: { key: string; index: number }[] = []
          const active = new Set<string>()
          await Promise.all(
            tasks.map(
              ({ key, turns }, index) =>
                new Promise<void>((resolve) =>
                  dispatcher.enqueue({
                    key,
                    abandoned: () => false,
                    run: async () => {
                      expect(active.has(key)).toBe(false)
                      active.add(key)
                      expect(active.size).toBeLessThanOrEqual(concurrency)
                      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
                      active.delete(key)
                      finished.push({ key, index })
                      resolve()
                      return done
                    },
                  }),
                ),
            ),
          )
          for (const key of ['a', 'b', 'c', 'd']) {
            const order = finished.filter((entry) => entry.key === key).map(({ index }) => index)
            expect(order).toEqual(order.toSorted((left, right) => left - right))
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  it('parks a key without holding its slot, and goes on with the same task', async () => {
    const timers: (() => void)[] = []
    const dispatcher = new Dispatcher({
      concurrency: 1,
      clock: {
        after: (_milliseconds, callback) => {
          timers.push(callback)
          return () => {}
        },
      },
    })
    const log: string[] = []
    let parked = false
    dispatcher.enqueue({
      key: 'slow',
      abandoned: () => false,
      run: async () => {
        log.push('slow 1')
        if (parked) return done
        parked = true
        return { kind: 'park', milliseconds: 1000 }
      },
    })
    for (const key of ['slow', 'other'])
      dispatcher.enqueue({ key, abandoned: () => false, run: async () => (log.push(`${key} 2`), done) })
    await expect.poll(() => log).toEqual(['slow 1', 'other 2'])
    timers[0]!()
    await expect.poll(() => log).toEqual(['slow 1', 'other 2', 'slow 1', 'slow 2'])
  })

  it('drops abandoned tasks, and drains by finishing what runs and starting nothing', async () => {
    const dispatcher = new Dispatcher({ concurrency: 1, clock })
    const ran: string[] = []
    let release = () => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    dispatcher.enqueue({ key: 'gone', abandoned: () => true, run: async () => (ran.push('gone'), done) })
    dispatcher.enqueue({
      key: 'a',
      abandoned: () => false,
      run: async () => (await gate, ran.push('a'), done),
    })
    dispatcher.enqueue({ key: 'b', abandoned: () => false, run: async () => (ran.push('b'), done) })
    const drained = dispatcher.drain()
    release()
    await drained
    expect(ran).toEqual(['a'])
    expect(dispatcher.running).toBe(0)
  })

  it('runs alone what asks for it, before all that has not begun, and then goes on', async () => {
    const dispatcher = new Dispatcher({ concurrency: 3, clock })
    const log: string[] = []
    const gates = new Map<string, () => void>()
    const add = (key: string, wants = false) =>
      dispatcher.enqueue({
        key,
        abandoned: () => false,
        run: async (alone) => {
          log.push(`${key}${alone ? ' alone' : ''} with ${dispatcher.running - 1}`)
          if (wants && !alone) return { kind: 'alone' }
          await new Promise<void>((resolve) => gates.set(key, resolve))
          return done
        },
      })
    add('a')
    add('b', true)
    await expect.poll(() => log).toEqual(['a with 0', 'b with 1'])
    for (const key of ['c', 'b', 'd']) add(key)
    gates.get('a')!()
    await expect.poll(() => gates.has('b')).toBe(true)
    add('e')
    expect(log.slice(2)).toEqual(['b alone with 0'])
    gates.get('b')!()
    await expect.poll(() => gates.has('d')).toBe(true)
    expect(log.slice(3)).toEqual(['c with 0', 'd with 1', 'e with 2'])
  })

  it('starts nothing while it may not, and forgets meanwhile what nobody wants any more', async () => {
    let may = false
    let revoked = false
    const isRevoked = () => revoked
    const dispatcher = new Dispatcher({ concurrency: 2, clock, mayStart: () => may })
    const ran: string[] = []
    const task = (key: string, abandoned = () => false) => ({
      key,
      abandoned,
      run: async () => (ran.push(key), done),
    })
    for (const key of ['a', 'b', 'a']) dispatcher.enqueue(task(key, isRevoked))
    dispatcher.enqueue(task('b'))
    revoked = true
    dispatcher.dropAbandoned()
    dispatcher.enqueue(task('a'))
    expect(dispatcher.running).toBe(0)
    may = true
    dispatcher.wake()
    await expect.poll(() => ran).toEqual(['b', 'a'])
  })
})
