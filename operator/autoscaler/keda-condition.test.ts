import { expect, it } from 'vitest'
import type { ScaledObject } from '../channel/children/scaled-object.ts'
import { kedaCondition } from './keda-condition.ts'

type Conditions = NonNullable<NonNullable<ScaledObject['status']>['conditions']>

const scaledObject = (...conditions: Conditions): ScaledObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name: 'a' },
  spec: { scaleTargetRef: { name: 'a' } },
  status: { conditions },
})
const ready = { type: 'Ready', status: 'True', message: 'ScaledObject is defined correctly' } as const
const running = { installed: true, refusal: undefined, suspended: false }

it.each([
  ['KEDA is not there', undefined, { installed: false }, 'False', 'KEDANotInstalled'],
  [
    'the role has no rule for it',
    undefined,
    { installed: false, refusal: 'scaledobjects.keda.sh is forbidden' },
    'Unknown',
    'ScaledObjectsUnreadable',
  ],
  ['nothing is made yet', undefined, {}, 'Unknown', 'NoScaledObject'],
  ['KEDA has said nothing', scaledObject(), {}, 'Unknown', 'KEDANotSeen'],
  [
    'KEDA has begun to say something',
    scaledObject({ type: 'Ready', status: 'Unknown' }),
    {},
    'Unknown',
    'KEDANotSeen',
  ],
  [
    'KEDA cannot use it',
    scaledObject({ type: 'Ready', status: 'False', message: 'no password given' }),
    {},
    'False',
    'ScaledObjectNotReady',
  ],
  [
    'one of its triggers fails',
    scaledObject({ type: 'Ready', status: 'Unknown', message: 'Some triggers do not work' }),
    {},
    'Unknown',
    'ScaledObjectNotReady',
  ],
  ['somebody paused it', scaledObject(ready, { type: 'Paused', status: 'True' }), {}, 'False', 'Paused'],
  [
    'the channel is suspended',
    scaledObject(ready, { type: 'Paused', status: 'True' }),
    { suspended: true },
    'True',
    'Suspended',
  ],
  ['Kafka is away', scaledObject(ready, { type: 'Fallback', status: 'True' }), {}, 'False', 'Fallback'],
  [
    'no metrics reach its HorizontalPodAutoscaler',
    scaledObject(ready, { type: 'HPAActive', status: 'False', message: 'unable to fetch metrics' }),
    {},
    'False',
    'HPANotActive',
  ],
  ['none runs', scaledObject(ready, { type: 'HPAActive', status: 'True' }), {}, 'True', 'ScaledByKEDA'],
  ['all is well', scaledObject(ready, { type: 'Fallback', status: 'False' }), {}, 'True', 'ScaledByKEDA'],
] as const)('when %s', (_, live, change, status, reason) => {
  expect(kedaCondition(live, { ...running, ...change })).toMatchObject({ status, reason })
})

it("passes KEDA's own words on", () => {
  const { message } = kedaCondition(
    scaledObject({ type: 'Ready', status: 'False', message: 'no password given' }),
    running,
  )
  expect(message).toBe('KEDA says: no password given')
})
