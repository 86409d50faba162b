import { describe, expect, it } from 'vitest'
import { settings } from './known.ts'
import { readSettings } from './setting.ts'

const read = (url: string) =>
  readSettings(
    { redisUrl: settings.redisUrl },
    { args: [], env: { REDIS_URL: url }, knownVariables: new Set() },
  ).redisUrl

describe('REDIS_URL', () => {
  it.each([
    'redis://localhost',
    'redis://127.0.0.1:6379/2',
    'rediss://user:p%40ss@redis.example.com:6380',
    '',
  ])('may be %j', (url) => expect(read(url)).toBe(url === '' ? undefined : url))

  it.each([
    'localhost:6379',
    'http://localhost',
    'redis://',
    'redis://:s3cret@host:99999',
    'redis://:s3cret@host/x',
  ])('may not be %j, and is not told when it is refused', (url) => {
    expect(() => read(url)).toThrow(
      /^REDIS_URL: must be redis:\/\/host:port or rediss:\/\/user:password@host:port\/database$/,
    )
  })
})
