import { Readable } from 'node:stream'
import { expect, it, onTestFinished } from 'vitest'
import { createLogger } from '../../../core/observability/logger.ts'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { channels, scaledObjects } from '../../kinds.ts'
import { Api } from '../api/api.ts'
import { ApiError } from '../api/api-error.ts'
import type { Requests } from '../api/connection.ts'
import { Cache } from './cache.ts'
import { OptionalCache } from './optional-cache.ts'
import { Reflector } from './reflector.ts'

const forbidden = new ApiError(403, 'Forbidden', 'cannot list resource "scaledobjects"')

/** A reflector of a kind that can be done without, on an API server that refuses to list it for as long as it is told to. */
function setUp(refuse: ApiError | undefined) {
  const server = { refuse, asked: 0 }
  const connection: Requests = {
    async ask<T>(): Promise<T> {
      server.asked++
      if (server.refuse) throw server.refuse
      return { metadata: { resourceVersion: '1' }, items: [{ metadata: { name: 'a' } }] } as T
    },
    open: (_request, signal) =>
      Promise.resolve({ body: new Readable({ read() {}, signal: signal! }) }) as never,
  }
  const log: string[] = []
  const logger = createLogger({ level: 'INFO', destination: { write: (line) => void log.push(line) } })
  const clock = manualClock()
  const cache = new OptionalCache()
  const reflector = new Reflector({
    api: new Api(connection),
    kind: scaledObjects,
    cache,
    onServed: (...told) => cache.setServed(...told),
    clock,
    logger,
  })
  reflector.start()
  onTestFinished(() => reflector.stop())
  /** Lets time pass until the API server has been asked once more. */
  const again = async () => {
    const before = server.asked
    await expect
      .poll(() => (clock.advance(15_000), server.asked), { timeout: 10_000 })
      .toBeGreaterThan(before)
  }
  return { server, cache, reflector, log, again }
}

it('does without a kind that the role has no rule for, warns of it once, and takes it up later', async () => {
  const { server, cache, reflector, log, again } = setUp(forbidden)
  await reflector.synced
  expect(cache).toMatchObject({ served: false, refusal: forbidden.message })
  await again()
  await again()
  expect(log.map((line) => JSON.parse(line) as object)).toMatchObject([{ refusal: forbidden.message }])
  server.refuse = undefined
  await again()
  await expect.poll(() => cache.list()).toHaveLength(1)
  expect(cache).toMatchObject({ served: true, refusal: undefined })
})

it.each([
  ['the cluster does not know', new ApiError(404, 'NotFound', 'not found'), undefined],
  ['fails in a webhook', new ApiError(500, 'InternalError', 'conversion failed'), 'conversion failed'],
])('keeps nobody waiting for a kind that %s', async (_what, error, refusal) => {
  const { cache, reflector } = setUp(error)
  await reflector.synced
  expect(cache).toMatchObject({ served: false, refusal })
})

it('goes on from the last bookmark when a watch ends, and lists again once that is too old', async () => {
  const object = (name: string, resourceVersion: string) => ({
    apiVersion: channels.apiVersion,
    kind: channels.kind,
    metadata: { name, namespace: 'shop', resourceVersion },
  })
  const expired = { code: 410, reason: 'Expired', message: 'too old resource version' }
  const watches = [
    [
      { type: 'ADDED', object: object('b', '5') },
      { type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } },
    ],
    [{ type: 'ERROR', object: expired }],
  ]
  const asked: string[] = []
  const clock = manualClock()
  const cache = new Cache()
  const reflector = new Reflector({
    api: {
      async list() {
        asked.push('list')
        return { items: [object('a', '1')], resourceVersion: asked.length === 1 ? '4' : '20' }
      },
      async watch(_kind: unknown, { resourceVersion }: { resourceVersion: string }, signal: AbortSignal) {
        asked.push(`watch from ${resourceVersion}`)
        const events = watches.shift()
        return Readable.from(events ?? (async function* () {})(), { signal })
      },
    } as never,
    kind: channels,
    cache,
    clock,
    logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
  })
  reflector.start()
  onTestFinished(() => reflector.stop())
  await reflector.synced
  await expect
    .poll(() => (clock.advance(30_000), asked.slice(0, 5)), { timeout: 10_000 })
    .toEqual(['list', 'watch from 4', 'watch from 9', 'list', 'watch from 20'])
  expect(cache.list().map(({ metadata }) => metadata.name)).toEqual(['a'])
})
