import { expect, it } from 'vitest'
import { manualClock } from '../test/harness/fakes/manual-clock.ts'
import { doubling, retry } from './retry.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Work that fails so often before it succeeds, on a clock that stands still. */
function world(failures: number, onFailure: (error: unknown, pause: number) => void = () => {}) {
  const clock = manualClock()
  const ending = new AbortController()
  let tries = 0
  const work = async () => {
    tries += 1
    if (tries <= failures) throw new Error(`failure ${tries}`)
    return 'done'
  }
  const result = retry(work, { clock, pauseAfter: doubling(100, 300), onFailure }, ending.signal)
  result.catch(() => {})
  return { clock, ending, result, tries: () => tries }
}

it('tries again, after pauses that double up to the longest, until it succeeds', async () => {
  const told: [string, number][] = []
  const { clock, result, tries } = world(4, (error, pause) => told.push([(error as Error).message, pause]))
  for (const pause of [100, 200, 300, 300]) {
    await turn()
    const before = tries()
    clock.advance(pause - 1)
    await turn()
    expect(tries()).toBe(before)
    clock.advance(1)
  }
  expect(await result).toBe('done')
  expect(told).toEqual([
    ['failure 1', 100],
    ['failure 2', 200],
    ['failure 3', 300],
    ['failure 4', 300],
  ])
})

it('gives up on what waiting does not mend', async () => {
  const { result, tries } = world(Infinity, (error) => {
    if ((error as Error).message === 'failure 1') throw error
  })
  await expect(result).rejects.toThrow('failure 1')
  expect(tries()).toBe(1)
})

it('ends at once when it is aborted while it waits', async () => {
  const { ending, result, tries } = world(Infinity)
  await turn()
  ending.abort()
  await expect(result).rejects.toMatchObject({ name: 'AbortError' })
  expect(tries()).toBe(1)
})
