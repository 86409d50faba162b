import { describe, expect, it } from 'vitest'
import type { DeploymentObject } from './children/deployment.ts'
import { isRollingOut, workersCondition } from './workers.ts'

type Status = NonNullable<DeploymentObject['status']>

const deployment = (status: Status, replicas = 1): DeploymentObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'nch-a', namespace: 'system', generation: 2 },
  spec: { replicas, selector: {}, template: {} },
  status: { observedGeneration: 2, ...status },
})
const done = { replicas: 1, updatedReplicas: 1, readyReplicas: 1 }
const between = { replicas: 2, updatedReplicas: 1, readyReplicas: 1 }
const late = { type: 'Progressing', status: 'False', message: 'ReplicaSet "a" has timed out progressing.' }
const forbidden = { type: 'ReplicaFailure', status: 'True', message: 'pods "a-" is forbidden: no' }

describe('the condition of the workers', () => {
  it.each<[string, DeploymentObject | undefined, readonly string[] | undefined, [string, string]]>([
    ['no Deployment', undefined, undefined, ['False', 'NoDeployment']],
    ['nothing wanted', deployment({}, 0), undefined, ['True', 'ScaledToZero']],
    ['all there', deployment(done), undefined, ['True', 'WorkersReady']],
    ['new ones on their way', deployment(between), undefined, ['True', 'RollingOut']],
    ['some there', deployment(done, 3), undefined, ['True', 'SomeWorkersReady']],
    ['none there', deployment({ replicas: 1, updatedReplicas: 1 }), undefined, ['False', 'WorkersNotReady']],
    [
      'new ones that do not get ready',
      deployment({ ...between, conditions: [late] }),
      undefined,
      ['True', 'NewWorkersNotReady'],
    ],
    ['an upgrade that waits', deployment(done), ['shop/a'], ['True', 'UpgradeWaits']],
  ])('%s', (_what, live, waitsFor, [status, reason]) => {
    expect(workersCondition(live, waitsFor)).toMatchObject({ status, reason })
  })

  it('says why none gets there', () => {
    expect(workersCondition(deployment({ conditions: [late, forbidden] })).message).toBe(
      'none of 1 workers is ready: pods "a-" is forbidden: no',
    )
  })

  it('names whom an upgrade waits for', () => {
    expect(workersCondition(deployment(done), ['shop/a', 'shop/b']).message).toBe(
      '1 of 1 workers are ready, of the release before: the upgrade waits for the new workers of shop/a, shop/b',
    )
  })
})

describe('a Deployment', () => {
  it.each<[string, Status, boolean]>([
    ['that is done', done, false],
    ['whose controller has not looked yet', { ...done, observedGeneration: 1 }, true],
    ['that has old workers yet', between, true],
    ['without new workers', { replicas: 1, updatedReplicas: 0, readyReplicas: 1 }, true],
    ['whose only workers fail', { replicas: 1, updatedReplicas: 1, readyReplicas: 0 }, false],
  ])('%s', (_what, status, expected) => {
    expect(isRollingOut(deployment(status))).toBe(expected)
  })
})
