import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import { expect, it, onTestFinished } from 'vitest'
import { manualClock } from '../test/harness/fakes/manual-clock.ts'
import { markSynced } from './mark-synced.ts'

const minute = 60_000

function setUp() {
  const clock = manualClock()
  const { promise: settled, resolve: settle } = Promise.withResolvers<void>()
  const kafka = { isAway: false, marks: 0 }
  const answer = async () => {
    if (kafka.isAway) throw new Error('away')
  }
  const stopping = new AbortController()
  const ended = markSynced(
    {
      settled,
      probe: answer,
      mark: async () => {
        await answer()
        kafka.marks++
      },
      clock,
      logger: pino({ level: 'silent' }),
    },
    stopping.signal,
  )
  onTestFinished(async () => {
    stopping.abort()
    await ended
  })
  /** Lets time pass in small steps, so that what waits again does so at its own time. */
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 5_000) {
      clock.advance(5_000)
      await turn()
    }
  }
  return { kafka, settle, pass }
}

it('waits for what fails, and marks once all is published', async () => {
  const { kafka, settle, pass } = setUp()
  await pass(4 * minute)
  expect(kafka.marks).toBe(0)
  settle()
  await pass(1)
  expect(kafka.marks).toBe(1)
})

it('does not wait for ever for one that always fails', async () => {
  const { kafka, pass } = setUp()
  await pass(10 * minute)
  expect(kafka.marks).toBe(1)
})

it('gives everything one more try when Kafka comes back after a long time', async () => {
  const { kafka, settle, pass } = setUp()
  kafka.isAway = true
  await pass(60 * minute)
  kafka.isAway = false
  await pass(minute)
  expect(kafka.marks).toBe(0)
  settle()
  await pass(1)
  expect(kafka.marks).toBe(1)
})

it('tries again when the marker cannot be written', async () => {
  const { kafka, settle, pass } = setUp()
  kafka.isAway = true
  settle()
  await pass(minute)
  kafka.isAway = false
  await pass(10_000)
  expect(kafka.marks).toBe(1)
})
