import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Connection, connectionFile } from '../kafkajs.ts'
import { endSilentConnections } from './silent-connections.ts'

describe('a connection of kafkajs that has fallen silent', () => {
  it('is ended in the very source that the correction was written for', () => {
    const source = readFileSync(connectionFile)
    expect(createHash('sha256').update(source).digest('hex')).toBe(
      '2a993b2e74421ca6d846efd59e4ba74b11100dbe7d40d0f52ea3218e917aafdd',
    )
  })

  it.each([
    ['a request that was not answered in time', 'KafkaJSRequestTimeoutError', true],
    ['no other failure', 'KafkaJSConnectionError', false],
  ])('is ended by %s', async (_what, name, isEnded) => {
    endSilentConnections()
    const failure = Object.assign(new Error('failed'), { name })
    let destroyed = false
    const connection = {
      isAuthenticated: () => true,
      failIfNotConnected() {
        throw failure
      },
      socket: { destroy: () => (destroyed = true) },
    }
    const send = Connection.prototype.send.call(connection as unknown as Connection, { request: {} } as never)
    await expect(send).rejects.toBe(failure)
    expect(destroyed).toBe(isEnded)
  })
})
