import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '../../../core/observability/logger.ts'
import { openDevLog } from './log.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'carillon-log-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('everything goes to the file, and only what is urgent to the person', () => {
  const shown: string[] = []
  const log = openDevLog(join(folder, 'log'), (text, urgency) => shown.push(`${urgency} ${text}`))
  const logger = createLogger({ level: 'INFO', destination: log })
  logger.debug('not at this level')
  logger.info('one')
  logger.warn('two')
  logger.error({ err: new Error('refused') }, 'three')
  logger.warn({ channel: 'email', lastFailure: 'auth' }, 'four')
  log.close()
  const entries = readFileSync(log.file, 'utf8').trim().split('\n')
  expect(entries.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
    'one',
    'two',
    'three',
    'four',
  ])
  expect(shown).toEqual(['WARNING two', 'ERROR three: refused', 'WARNING email: four: auth'])
  expect(statSync(log.file).mode & 0o777).toBe(0o600)
})

test('a log that has grown large makes room once and goes on', () => {
  const shown: string[] = []
  const log = openDevLog(folder, (text) => shown.push(text))
  const logger = createLogger({ level: 'INFO', destination: log })
  for (let n = 0; n < 25; n++) logger.info({ n, filling: 'x'.repeat(1_000_000) }, 'line')
  logger.info('the last')
  log.close()
  expect(statSync(log.file).size).toBeLessThan(6_000_000)
  expect(statSync(`${log.file}.1`).size).toBeLessThan(22_000_000)
  expect(readFileSync(log.file, 'utf8')).toContain('the last')
  expect(shown).toEqual([])
})
