import { describe, expect, it } from 'vitest'
import { part, requiredParts } from './parts.ts'

describe('part', () => {
  it('takes the program that the environment names', () => {
    expect(part('chromium', { CHROMIUM: process.execPath })).toEqual({
      available: true,
      path: process.execPath,
    })
  })

  it('does not take a program that is not there', () => {
    expect(part('chromium', { CHROMIUM: '/nowhere/chromium' })).not.toMatchObject({
      path: '/nowhere/chromium',
    })
  })

  it('does not take a folder without the server programs', () => {
    expect(part('postgres', { CARILLON_POSTGRES_BIN: '/' })).not.toMatchObject({ path: '/' })
  })
})

describe('requiredParts', () => {
  it('requires nothing unless told', () => {
    expect(requiredParts({})).toEqual([])
    expect(requiredParts({ CARILLON_REQUIRE: '' })).toEqual([])
  })

  it('reads names separated by commas', () => {
    expect(requiredParts({ CARILLON_REQUIRE: 'postgres, chromium' })).toEqual(['postgres', 'chromium'])
  })

  it('refuses a name that is no part', () => {
    expect(() => requiredParts({ CARILLON_REQUIRE: 'postgres,chromum' })).toThrow('chromum')
  })
})
