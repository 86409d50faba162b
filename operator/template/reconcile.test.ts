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
  const template: TemplateObject = {
    apiVersion: 'carillon.dev/v1alpha1',
    kind: 'NotificationTemplate',
    metadata: { name: 'hello', namespace: 'shop', uid: 'a', generation: 1 },
    spec: { content: { sms: { text: 'hello' } } },
  }
  templates.put(template)
  const told: string[] = []
  const statuses: TemplateObject['status'][] = []
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
          statuses.push(status)
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
  const edit = (spec: object) =>
    templates.put({
      ...template,
      metadata: { ...template.metadata, generation: 2, resourceVersion: '2' },
      spec: { ...spec },
    })
  return { look, edit, told, statuses, logged }
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

it('knows what goes on serving before the watch has brought that back', async () => {
  const { look, edit, statuses } = setUp({})
  await look()
  edit({ content: 'none' })
  await look()
  const [served, refused] = statuses
  expect(served).toMatchObject({ revision: '1-abcdef' })
  expect(refused).toEqual({ ...served, observedGeneration: 2, conditions: refused?.conditions })
  expect(refused?.conditions).toMatchObject([
    { type: 'Ready', status: 'False', reason: 'InvalidSpec' },
    { type: 'Valid', status: 'False', reason: 'InvalidSpec' },
  ])
  expect(refused?.conditions?.[0]?.message).toMatch(/; revision 1-abcdef goes on serving$/)
})
