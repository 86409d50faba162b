import { expect, it } from 'vitest'
import type { Entry } from './reader.ts'
import type { Resource } from './records.ts'
import { outdatedRevisions } from './revisions.ts'

const hour = 3_600_000
const now = 10_000 * hour
const hoursAgo = (hours: number) => now - hours * hour

const template = (revision: string, age: number, source: Entry['source'] = 'kubernetes'): Entry => ({
  source,
  revision,
  publishedAt: hoursAgo(age),
  resource: { kind: 'NotificationTemplate' } as Resource,
})
const channel = (expiresAfter: string, retention: string): Entry => ({
  source: 'kubernetes',
  revision: 'c',
  publishedAt: hoursAgo(5_000),
  resource: {
    kind: 'NotificationChannel',
    spec: { delivery: { expiresAfter }, topic: { retention } },
  } as Resource,
})

/** 168 h of requests, 72 h of waiting, 168 h of dead letters. */
const life = 168 + 72 + 168
const channels: [string, Entry][] = [
  ['NotificationChannel/shop/quick', channel('1h', '24h')],
  ['NotificationChannel/shop/email', channel('72h', '168h')],
]
const key = 'NotificationTemplate/shop/welcome'

it.each<[string, [string, Entry][], string[]]>([
  [
    'the revision that serves, however old',
    [
      [key, template('a', 9_000)],
      [`${key}@a`, template('a', 9_000)],
    ],
    [],
  ],
  [
    'one that was replaced long ago',
    [
      [key, template('b', life + 1)],
      [`${key}@a`, template('a', 9_000)],
    ],
    [`${key}@a`],
  ],
  [
    'one that a dead letter may yet name',
    [
      [key, template('b', life - 1)],
      [`${key}@a`, template('a', 9_000)],
    ],
    [],
  ],
  [
    'one of somebody else',
    [
      [key, template('b', 9_000)],
      [`${key}@a`, template('a', 9_000, 'folder')],
    ],
    [],
  ],
  ['one of a template that has just gone', [[`${key}@a`, template('a', 9_000)]], []],
])('%s', (_what, entries, outdated) => {
  expect(outdatedRevisions(new Map([...channels, ...entries]), 'kubernetes', new Map(), now)).toEqual(
    outdated,
  )
})

it('counts from when a template was first seen to be gone', () => {
  const published = new Map([...channels, [`${key}@a`, template('a', 9_000)] as const])
  const seen = (age: number) =>
    outdatedRevisions(published, 'kubernetes', new Map([[`${key}@a`, hoursAgo(age)]]), now)
  expect(seen(life - 1)).toEqual([])
  expect(seen(life + 1)).toEqual([`${key}@a`])
})
