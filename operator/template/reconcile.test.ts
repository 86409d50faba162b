import { pino } from 'pino'
import { expect, it } from 'vitest'
import { BrokerError } from '../../core/broker/broker.ts'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { ApiError } from '../runtime/api/api-error.ts'
import { Cache } from '../runtime/watch/cache.ts'
import { createTemplateReconciler } from './reconcile.ts'
import { createTemplateStatusWriter, type TemplateObject } from './status.ts'

const away = new BrokerError('unavailable', 'no broker answers')
const tooLarge = new BrokerError('invalid', 'the record is larger than Kafka takes')
const conflict = new ApiError(409, 'Conflict', 'the object has been modified')

/** A valid template, and what of the world around it fails at present. */
function setUp(failing: { publish?: Error; status?: Error }) {
  const templates = new Cache<TemplateObject>()
  templates.put({
    apiVersion: 'carillon.dev/v1alpha1',
    kind: 'NotificationTemplate',
    metadata: { name: 'hello', namespace: 'shop', uid: 'a', generation: 1 },
    spec: { content: { sms: { text: 'hello' } } },
  })
  const told: string[] = []
  const logged: string[] = []
  const reconcile = createTemplateReconciler({
    templates,
    writer: {
      foreignSource: () => undefined,
      async publish() {
        if (failing.publish) throw failing.publish
        return 'abcdef01'
      },
    } as never,
    checkTemplate: async () => [],
    statusWriter: createTemplateStatusWriter({
      api: {
        apply: async (_kind: unknown, { status }: { status?: TemplateObject['status'] }) => {
          for (const { type, status: is, reason } of status?.conditions ?? [])
            told.push(`${type}=${is} ${reason}`)
          if (failing.status) throw failing.status
        },
      } as never,
      objects: templates,
      clock: manualClock(),
      recordEvent: () => {},
    }),
  })
  const logger = pino({}, { write: (line: string) => void logged.push(line) })
  const look = () =>
    reconcile({ namespace: 'shop', name: 'hello' }, { logger, signal: new AbortController().signal }).catch(
      (error: unknown) => error,
    )
  return { look, told, logged }
}

it('says of what fails that it does, and what is known of the template all the same', async () => {
  const { look, told } = setUp({ publish: away })
  expect(await look()).toBe(away)
  expect(told).toEqual(['Ready=Unknown KafkaUnavailable', 'Valid=True Valid'])
})

it('asks no more at once for what Kafka refuses', async () => {
  const { look, told } = setUp({ publish: tooLarge })
  expect(await look()).toHaveProperty('requeueAfter')
  expect(told).toEqual(['Ready=False KafkaRefused', 'Valid=True Valid'])
})

it.each([away, tooLarge])('fails with what came first where it cannot be told: $message', async (publish) => {
  const { look, logged } = setUp({ publish, status: conflict })
  expect(await look()).toBe(publish)
  expect(logged.join()).toContain(conflict.message)
})

it('says of a status that cannot be written nothing but that', async () => {
  const { look, told } = setUp({ status: conflict })
  expect(await look()).toBe(conflict)
  expect(told).toEqual(['Ready=True Serving', 'Valid=True Valid'])
})
