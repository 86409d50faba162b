import { writeSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLogger } from '../../observability/logger.ts'
import { openServerLog } from './server-log.ts'

const logger = createLogger({ level: 'ERROR' })
const full = 'x'.repeat(5 * 1024 * 1024)
let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carillon-server-log-'))
  path = join(folder, 'postgres.log')
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(folder, { recursive: true, force: true })
})

describe('the log of the server', () => {
  it('reads back what was written since it was opened', async () => {
    await writeFile(path, 'an earlier run\n')
    const log = await openServerLog(path, logger)
    writeSync(log.descriptor, 'this run\n')
    expect(log.read()).toBe('this run\n')
    log.close()
    expect(await readFile(path, 'utf8')).toBe('an earlier run\nthis run\n')
  })

  it('moves away when it is full at the start', async () => {
    await writeFile(path, full)
    const log = await openServerLog(path, logger)
    writeSync(log.descriptor, 'this run\n')
    expect(log.read()).toBe('this run\n')
    log.close()
    expect((await stat(`${path}.1`)).size).toBe(full.length)
  })

  it('moves away when it fills up while the server writes', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const log = await openServerLog(path, logger)
    writeSync(log.descriptor, full)
    vi.advanceTimersByTime(60_000)
    await expect.poll(async () => (await stat(path)).size).toBe(0)
    writeSync(log.descriptor, 'and on\n')
    expect(await readFile(path, 'utf8')).toBe('and on\n')
    log.close()
  })
})
