import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { requests } from '../kafkajs.ts'
import { encodeProduce } from './produce-request.ts'

const bytes = (maxLength: number) =>
  fc.option(fc.uint8Array({ maxLength }).map((array) => Buffer.from(array)))
const message = fc.record({
  key: bytes(100),
  value: bytes(20_000),
  headers: fc.option(fc.dictionary(fc.string(), fc.string({ maxLength: 200 })), { nil: undefined }),
})
const partition = fc.record({
  partition: fc.nat(1_000),
  messages: fc.array(message, { minLength: 1, maxLength: 100 }),
})
const topic = fc.record({ topic: fc.string(), partitions: fc.array(partition, { maxLength: 3 }) })

afterEach(() => vi.useRealTimers())

test('writes the bytes that kafkajs writes', async () => {
  const now = 1_795_000_000_123
  vi.useFakeTimers({ toFake: ['Date'], now })
  await fc.assert(
    fc.asyncProperty(fc.array(topic, { maxLength: 3 }), async (topicData) => {
      const request = { acks: -1 as const, timeout: 4_000, topicData }
      const theirs = requests['Produce']!.protocol({ version: 7 })(request).request as {
        encode(): Promise<{ buffer: Buffer }>
      }
      const { buffer } = await theirs.encode()
      expect(encodeProduce(request, now).buffer.equals(buffer)).toBe(true)
    }),
    { numRuns: 50 },
  )
})
