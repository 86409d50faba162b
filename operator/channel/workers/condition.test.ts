import { describe, expect, it } from 'vitest'
import type { DeploymentObject } from '../children/deployment.ts'
import { channelConditionTexts } from '../conditions.ts'
import { keepOfPod, type PodObject } from './obstacles.ts'
import { isRollingOut, workersCondition } from './condition.ts'

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
const late = {
  type: 'Progressing',
  status: 'False',
  reason: 'ProgressDeadlineExceeded',
  message: 'ReplicaSet "a" has timed out progressing.',
}
const forbidden = {
  type: 'ReplicaFailure',
  status: 'True',
  reason: 'FailedCreate',
  message: 'pods "a-" is forbidden: no',
}
const none = { replicas: 1, updatedReplicas: 1 }
const see = (live: DeploymentObject | undefined, waitsFor?: readonly string[], pods: PodObject[] = []) =>
  workersCondition({ deployment: live, waitsFor, pods, scalingRefusal: undefined })
const pod = (status: object, metadata: object = {}): PodObject =>
  keepOfPod({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', ...metadata }, status })
const container = (more: object) => ({ containerStatuses: [{ name: 'worker', ready: false, ...more }] })

describe('the condition of the workers', () => {
  it.each<[string, DeploymentObject | undefined, readonly string[] | undefined, [string, string]]>([
    ['no Deployment', undefined, undefined, ['False', 'NoDeployment']],
    ['nothing wanted', deployment({}, 0), undefined, ['True', 'ScaledToZero']],
    ['all there', deployment(done), undefined, ['True', 'WorkersReady']],
    ['new ones on their way', deployment(between), undefined, ['True', 'RollingOut']],
    ['some there', deployment(done, 3), undefined, ['True', 'SomeWorkersReady']],
    ['none there', deployment({ replicas: 1, updatedReplicas: 1 }), undefined, ['False', 'WorkersNotReady']],
    [
      'new ones that do not get ready in time',
      deployment({ ...between, conditions: [late] }),
      undefined,
      ['True', 'ProgressDeadlineExceeded'],
    ],
    ['an upgrade that waits', deployment(done), ['shop/a'], ['True', 'UpgradeWaits']],
  ])('%s', (_what, live, waitsFor, [status, reason]) => {
    expect(see(live, waitsFor)).toMatchObject({ status, reason })
  })

  it('says why none gets there', () => {
    expect(see(deployment({ conditions: [late, forbidden] }))).toEqual({
      status: 'False',
      reason: 'FailedCreate',
      message: 'none of 1 workers is ready: pods "a-" is forbidden: no',
    })
  })

  it('goes on with its workers when what would scale them is refused, and says so', () => {
    const seen = { pods: [], waitsFor: undefined, scalingRefusal: 'denied by the webhook' }
    expect(workersCondition({ deployment: deployment(done), ...seen })).toEqual({
      status: 'True',
      reason: 'ScaledObjectRefused',
      message: '1 of 1 workers are ready, and nobody scales them: denied by the webhook',
    })
  })

  it('names whom an upgrade waits for', () => {
    expect(see(deployment(done), ['shop/a', 'shop/b']).message).toBe(
      '1 of 1 workers are ready, of the release before: the upgrade waits for the new workers of shop/a, shop/b',
    )
  })
})

describe('what a pod says', () => {
  it.each<[string, PodObject, string, string]>([
    [
      'no node has room',
      pod({
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1' }],
      }),
      'Unschedulable',
      ': 0/1',
    ],
    [
      'the image cannot be pulled',
      pod(container({ state: { waiting: { reason: 'ErrImagePull', message: 'not found' } } })),
      'ImagePullBackOff',
      ': not found',
    ],
    [
      'the worker ends again and again',
      pod(
        container({
          state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s' } },
          lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
        }),
      ),
      'CrashLoopBackOff',
      ': the worker ended with exit code 137 (OOMKilled)',
    ],
    [
      'the worker has just been started again',
      pod(
        container({ state: { running: {} }, lastState: { terminated: { exitCode: 78, reason: 'Error' } } }),
      ),
      'CrashLoopBackOff',
      ': the worker ended with exit code 78',
    ],
    [
      'the worker was started again long ago, and has been ready since',
      pod({
        conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-11-21T11:00:00Z' }],
        ...container({
          state: { running: { startedAt: '2026-11-21T10:00:00Z' } },
          lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
        }),
      }),
      'WorkersNotReady',
      '',
    ],
    [
      'the worker has been started again, and was not ready since',
      pod({
        conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-11-21T11:00:00Z' }],
        ...container({
          state: { running: { startedAt: '2026-11-21T11:00:00Z' } },
          lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
        }),
      }),
      'CrashLoopBackOff',
      ': the worker ended with exit code 137 (OOMKilled)',
    ],
    [
      'it is being made',
      pod(container({ state: { waiting: { reason: 'ContainerCreating' } } })),
      'WorkersNotReady',
      '',
    ],
    ['it is starting', pod(container({ state: { running: {} } })), 'WorkersNotReady', ''],
    [
      'it is on its way out',
      pod(container({ state: { terminated: { exitCode: 1 } } }), { deletionTimestamp: 'now' }),
      'WorkersNotReady',
      '',
    ],
  ])('%s', (_what, said, reason, message) => {
    expect(see(deployment(none), undefined, [pod({}), said])).toEqual({
      status: 'False',
      reason,
      message: `none of 1 workers is ready${message}`,
    })
  })

  it('is passed over when all workers are there', () => {
    const left = pod(container({ state: { waiting: { reason: 'ErrImagePull' } } }))
    expect(see(deployment(done), undefined, [left])).toMatchObject({ reason: 'WorkersReady' })
  })

  it('makes a channel whose other workers deliver no less ready, and is told by it', () => {
    const stuck = pod(container({ state: { waiting: { reason: 'ImagePullBackOff', message: 'x' } } }))
    const WorkersReady = see(deployment(between), undefined, [stuck])
    const yes = { status: 'True', reason: 'Yes', message: '' } as const
    const texts = channelConditionTexts(
      { Accepted: yes, CredentialsReady: yes, TopicsReady: yes, WorkersReady },
      { suspend: false },
    )
    expect(texts.Ready).toEqual({
      status: 'True',
      reason: 'ImagePullBackOff',
      message: '1 of 1 workers are ready, new ones do not get there: x',
    })
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
