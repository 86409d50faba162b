import { expect, it } from 'vitest'
import { prefixRefusal } from './claim-prefix.ts'

const install = { id: 'ours', name: 'us' }
const theirs = { id: 'theirs', name: 'them' }
const refusal = (found: Parameters<typeof prefixRefusal>[1], takeOverFrom?: string) =>
  prefixRefusal({ prefix: 'carillon', install, takeOverFrom }, found)

it.each<[string, Parameters<typeof prefixRefusal>[1], string | undefined, string | undefined]>([
  ['a prefix of nobody', { install: undefined, strangers: [] }, undefined, undefined],
  ['its own', { install, strangers: ['carillon.events'] }, undefined, undefined],
  ['its own, and told to take over what it had', { install, strangers: [] }, 'theirs', undefined],
  ["another's", { install: theirs, strangers: [] }, undefined, 'CARILLON_TAKE_OVER_FROM=theirs'],
  ["another's, told to take it over", { install: theirs, strangers: [] }, 'theirs', undefined],
  [
    "another's, told to take a third's over",
    { install: theirs, strangers: [] },
    'third',
    'another install, them',
  ],
  [
    "another's, taken for nobody's",
    { install: theirs, strangers: [] },
    'unrecorded',
    'another install, them',
  ],
  [
    'topics without a record',
    { install: undefined, strangers: ['carillon.events'] },
    undefined,
    'topic carillon.events is there',
  ],
  [
    'topics without a record, told to take them over',
    { install: undefined, strangers: ['carillon.events'] },
    'unrecorded',
    undefined,
  ],
])('%s', (_what, found, takeOverFrom, expected) => {
  const told = refusal(found, takeOverFrom)
  if (expected === undefined) expect(told).toBeUndefined()
  else expect(told).toContain(expected)
})
