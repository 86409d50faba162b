import { expect, it } from 'vitest'
import { manualClock } from '../test/harness/fakes/manual-clock.ts'
import { createPace } from './pace.ts'

it('lets go at once whoever comes late enough, and holds up whoever comes too early for the rest of the time', async () => {
  const clock = manualClock()
  const pace = createPace(5, clock)
  await pace()
  clock.advance(2)
  let released = false
  const second = pace().then(() => (released = true))
  clock.advance(2)
  await Promise.resolve()
  expect(released).toBe(false)
  clock.advance(1)
  await second
  clock.advance(5)
  await pace()
})
