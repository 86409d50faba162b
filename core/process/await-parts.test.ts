import { pino } from 'pino'
import { expect, test } from 'vitest'
import { emptyTestDatabase, testDatabase } from '../../test/harness/postgres/postgres.ts'
import { BrokerError } from '../broker/broker.ts'
import { createLogger } from '../observability/logger.ts'
import { StartRefused } from '../settings/start-refused.ts'
import { migrate } from '../store/migrate.ts'
import { openStore } from '../store/store.ts'
import { awaitBroker, awaitDatabase } from './await-parts.ts'

const silent = pino({ enabled: false })
const options = () => ({ logger: silent, signal: new AbortController().signal, firstPause: 1 })

/** A logger that keeps its messages. */
function noting(onMessage: () => unknown = () => {}) {
  const messages: string[] = []
  const write = (line: string) => {
    messages.push((JSON.parse(line) as { msg: string }).msg)
    onMessage()
  }
  return { messages, logger: createLogger({ level: 'INFO', destination: { write } }) }
}

test('a broker that is away, and topics that are not there yet, are waited for', async () => {
  const failures = [
    new BrokerError('unavailable', 'Kafka does not answer'),
    new BrokerError('unknown_topic', 'topic carillon.catalog: UNKNOWN_TOPIC_OR_PARTITION'),
  ]
  const { messages, logger } = noting()
  const attempt = () => {
    const failure = failures.shift()
    return failure ? Promise.reject(failure) : Promise.resolve('here')
  }
  expect(await awaitBroker(attempt, { ...options(), logger })).toBe('here')
  expect(messages).toEqual([
    'KAFKA_BOOTSTRAP_SERVERS: Kafka does not answer; trying again in 0.001 s',
    'topic carillon.catalog: UNKNOWN_TOPIC_OR_PARTITION; carillon apply makes the topics; trying again in 0.002 s',
  ])
})

test('what waiting does not mend ends the start with one line; a defect keeps its stack', async () => {
  const refused = new BrokerError('unauthorized', 'Kafka refuses the user name or the password')
  await expect(awaitBroker(() => Promise.reject(refused), options())).rejects.toEqual(
    new StartRefused('Kafka refuses the user name or the password'),
  )
  const defect = new TypeError('undefined is not a function')
  await expect(awaitBroker(() => Promise.reject(defect), options())).rejects.toBe(defect)
})

test('the wait ends with the process', async () => {
  const ending = new AbortController()
  const waiting = awaitBroker(
    () => {
      ending.abort()
      return Promise.reject(new BrokerError('unavailable', 'Kafka does not answer'))
    },
    { logger: silent, signal: ending.signal },
  )
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
})

test('a database without tables is waited for until they are there', async () => {
  const store = openStore({ url: await emptyTestDatabase(), logger: silent })
  let migrating: Promise<void> | undefined
  const { messages, logger } = noting(() => (migrating ??= migrate(store.db)))
  await awaitDatabase(store, { ...options(), logger })
  await migrating
  expect(messages[0]).toBe(
    'DATABASE_URL: the tables of this release are not there yet; carillon migrate makes them; trying again in 0.001 s',
  )
  await store.close()
})

test('a database that is not there is refused by the name of its setting', async () => {
  const { url, close } = await testDatabase()
  const wrong = new URL(url)
  wrong.pathname = '/nowhere'
  const store = openStore({ url: wrong.href, logger: silent })
  await expect(awaitDatabase(store, options())).rejects.toEqual(
    new StartRefused('DATABASE_URL: database "nowhere" does not exist'),
  )
  await store.close()
  await close()
})
