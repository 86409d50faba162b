import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import { expect, it, onTestFinished } from 'vitest'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { Controller } from './controller.ts'

const queue = { added() {}, taken() {}, done() {}, retried() {} }

/** A controller whose objects fail as often as is said, and when each was looked at, in seconds. */
function setUp(failures: Record<string, number>) {
  const clock = manualClock()
  const looks: Record<string, number[]> = {}
  const controller = new Controller({
    name: 'test',
    async reconcile({ name }) {
      ;(looks[name] ??= []).push(clock.monotonic() / 1000)
      const left = failures[name] ?? 0
      failures[name] = left - 1
      if (left > 0) throw new Error('not yet')
      return {}
    },
    workers: 2,
    clock,
    logger: pino({ level: 'silent' }),
    metrics: { active() {}, reconciled() {}, queue },
  })
  const state = { isSettled: false }
  void controller.settled.then(() => (state.isSettled = true))
  onTestFinished(() => controller.stop())
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1_000)
      await turn()
    }
  }
  const start = async (...names: string[]) => {
    for (const name of names) controller.queue.add(`shop/${name}`)
    controller.start()
    await turn()
  }
  return { controller, looks, state, failures, pass, start }
}

it('has settled when all that was there at the start went well, and not before', async () => {
  const { controller, state, pass, start } = setUp({ bad: 2, later: 100 })
  await start('good', 'bad')
  controller.queue.add('shop/later')
  expect(state.isSettled).toBe(false)
  await pass(1)
  expect(state.isSettled).toBe(false)
  await pass(2)
  expect(state.isSettled).toBe(true)
})

it('has settled at once when there is nothing', async () => {
  const { state, start } = setUp({})
  await start()
  expect(state.isSettled).toBe(true)
})

it('waits longer after each failure, a minute at the most, and starts anew after a success', async () => {
  const { controller, looks, failures, pass, start } = setUp({ bad: 8 })
  await start('bad')
  await pass(300)
  const waits = looks['bad']!.slice(1).map((at, index) => at - looks['bad']![index]!)
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
  failures['bad'] = 1
  controller.queue.add('shop/bad')
  await pass(5)
  const [failed, again] = looks['bad']!.slice(-2) as [number, number]
  expect(again - failed).toBe(1)
})
