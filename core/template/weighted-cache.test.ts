import { expect, it } from 'vitest'
import { WeightedCache } from './weighted-cache.ts'

it('keeps what was used last within its limit', () => {
  const made: string[] = []
  const cache = new WeightedCache<{ weight: number }>(10)
  const use = (key: string, weight: number) =>
    cache.get(key, () => {
      made.push(key)
      return { weight }
    })
  use('a', 4)
  use('b', 4)
  use('a', 4)
  use('c', 4) // b goes
  use('a', 4)
  use('huge', 11) // never kept, and drives nobody out
  use('huge', 11)
  use('a', 4)
  use('b', 4)
  expect(made).toEqual(['a', 'b', 'c', 'huge', 'huge', 'b'])
})
