import { expect, it } from 'vitest'
import { truncate } from './truncate.ts'

it.each([
  ['short', 5, 'short'],
  ['longer', 5, 'longe'],
  ['größe', 4, 'grö'],
  ['größe', 3, 'gr'],
  ['a🔔', 4, 'a'],
  ['a🔔', 5, 'a🔔'],
])('%s in %i bytes', (text, bytes, expected) => {
  expect(truncate(text, bytes)).toBe(expected)
})
