import { describe, expect, it } from 'vitest'
import { createLogger } from './logger.ts'

function captured(level: 'DEBUG' | 'WARNING' = 'DEBUG') {
  const lines: string[] = []
  const logger = createLogger({ level, destination: { write: (line) => lines.push(line) } })
  return { logger, entries: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

describe('logger', () => {
  it('writes JSON with the level names of LOG_LEVEL, ISO time and the component', () => {
    const { logger, entries } = captured()
    logger.child({ component: 'planner' }).warn({ partition: 3 }, 'paused')
    expect(entries()).toEqual([
      {
        level: 'WARNING',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown,
        service: 'carillon',
        component: 'planner',
        partition: 3,
        msg: 'paused',
      },
    ])
  })

  it('drops what is less urgent than its level', () => {
    const { logger, entries } = captured('WARNING')
    logger.info('quiet')
    logger.error('loud')
    expect(entries().map((entry) => entry['level'])).toEqual(['ERROR'])
  })

  it('writes of an error its name, code, message and stack, and nothing that hangs on it', () => {
    const { logger, entries } = captured()
    const error = Object.assign(new TypeError('no'), {
      code: 'E_NO',
      body: 'secret',
      cause: new Error('secret'),
    })
    logger.error({ err: error }, 'failed')
    logger.error(error)
    logger.error({ err: 'secret' }, 'thrown text')
    const described = { name: 'TypeError', code: 'E_NO', message: 'no', stack: error.stack }
    expect(entries().map((entry) => entry['err'])).toEqual([described, described, { name: 'string' }])
    expect(JSON.stringify(entries())).not.toContain('secret')
  })
})
