import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import type { DeploymentObject } from '../../operator/channel/children/deployment.ts'
import type { ScaledObject } from '../../operator/channel/children/scaled-object.ts'
import { childName } from '../../operator/channel/names.ts'
import { platformSecretName, triggerAuthenticationName } from '../../operator/release/names.ts'
import { until } from '../harness/balance/load.ts'
import { adminPassword } from '../harness/kafka/kafka-login.ts'
import { createStrictly } from '../harness/kubernetes/create-strictly.ts'
import { installCrds, publishedCrds, publishedScalers } from '../harness/kubernetes/published-crds.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import { sandboxChannel } from '../harness/operator/sandbox-channel.ts'
import { describePart } from '../harness/parts/describe-part.ts'
import type { RoleProcess } from '../harness/process/role.ts'

/** The ScaledObject as this test reads it. */
type Live = ScaledObject & {
  spec: {
    minReplicaCount: number
    maxReplicaCount: number
    triggers: { metadata: Record<string, string>; authenticationRef?: object }[]
  }
}
type TriggerAuthentication = { spec: { secretTargetRef: { parameter: string; name: string; key: string }[] } }
/** What KEDA publishes of its scalers. */
interface Scaler {
  type: string
  parameters: {
    name: string
    allowedValue?: string[]
    metadataVariableReadable?: boolean
    triggerAuthenticationVariableReadable?: boolean
  }[]
}

const channel = (scaling: string, ...more: string[]) => sandboxChannel('keda', `scaling: ${scaling}`, ...more)
const name = childName({ namespace: 'shop', name: 'keda' })
/** A rule of the cluster, in place of the webhook by which KEDA itself refuses. */
const atRest = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: at-rest}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [keda.sh], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [scaledobjects]}]}
  validations: [{expression: object.spec.minReplicaCount < 2, message: no more than one at rest}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: at-rest}
spec: {policyName: at-rest, validationActions: [Deny]}
`

/** KEDA's own resources on a real API server, and a Kafka that asks for a log-in. KEDA itself does not run: what it would write, the test writes. */
describePart('crds', (crds) => {
  describeOperatorCluster(
    (cluster) => {
      let operator: RoleProcess

      beforeAll(async () => {
        operator = cluster.startOperator(cluster.login)
        await operator.ready()
      }, 120_000)

      const kubectl = (...args: string[]) => cluster.control.run([...args, '-n', releaseNamespace])
      const install = () =>
        installCrds(cluster.control, crds, publishedCrds.scaledObjects, publishedCrds.triggerAuthentications)
      const live = (of = name) => cluster.get<Live>('scaledobject', of, releaseNamespace)
      const login = () =>
        cluster.get<TriggerAuthentication>(
          'triggerauthentication',
          triggerAuthenticationName,
          releaseNamespace,
        )
      const deployment = () => cluster.get<DeploymentObject>('deployment', name, releaseNamespace)
      const merge = (patch: object, ...more: string[]) =>
        kubectl('patch', 'scaledobject', name, '--type=merge', '-p', JSON.stringify(patch), ...more)
      const kedaSays = (...conditions: object[]) => merge({ status: { conditions } }, '--subresource=status')
      const ready = { type: 'Ready', status: 'True', reason: 'ScaledObjectReady', message: 'is ready' }
      const scaling = (reason: string, status = 'True') =>
        cluster.condition('nch/keda', 'ScalingActive', status, { reason })
      /** A ScaledObject of somebody else, for the same workers. */
      const foreign = (of: string) =>
        cluster.apply(`
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: ${of}, namespace: ${releaseNamespace}}
spec: {scaleTargetRef: {name: ${name}}, triggers: [{type: cron, metadata: {timezone: UTC, start: "0 6 * * *", end: "0 8 * * *", desiredReplicas: "2"}}]}
`)

      it('says so where KEDA is not installed, and delivers all the same', async () => {
        await cluster.apply(channel('{mode: KEDA, minReplicas: 0}'))
        await cluster.condition('nch/keda', 'Ready', 'True')
        await cluster.condition('nch/keda', 'ScalingActive', 'False', {
          reason: 'KEDANotInstalled',
          message:
            'KEDA is not installed, so nobody scales the workers: install it, or set scaling.mode to Native',
        })
      }, 120_000)

      it('takes up KEDA when that is installed later, and sends nothing that KEDA would drop', async () => {
        await install()
        await until(async () => (await live()) !== undefined, 'there is a ScaledObject')
        const topic = `${cluster.prefix}.shop.keda`
        const kafka = {
          bootstrapServers: cluster.login['KAFKA_BOOTSTRAP_SERVERS'],
          offsetResetPolicy: 'earliest',
          fullMetadata: 'false',
          tls: 'enable',
          sasl: 'scram_sha512',
        }
        const authenticationRef = { name: triggerAuthenticationName }
        const { spec } = (await live())!
        expect(spec).toEqual({
          scaleTargetRef: { name },
          pollingInterval: 15,
          cooldownPeriod: 300,
          initialCooldownPeriod: 300,
          minReplicaCount: 0,
          maxReplicaCount: 3,
          // `behavior` is KEDA's default.
          fallback: { failureThreshold: 12, replicas: 2, behavior: 'static' },
          triggers: [
            {
              type: 'kafka',
              metadata: { ...kafka, topic, consumerGroup: topic, lagThreshold: '500' },
              authenticationRef,
            },
            {
              type: 'kafka',
              metadata: {
                ...kafka,
                topic: `${topic}.retry.30s`,
                consumerGroup: `${topic}.retry`,
                lagThreshold: '1000000000',
              },
              authenticationRef,
            },
          ],
        })
        const copy = {
          apiVersion: 'keda.sh/v1alpha1',
          kind: 'ScaledObject',
          metadata: { name: 'copy' },
          spec,
        }
        const { code, stderr } = await createStrictly(cluster.control, copy, releaseNamespace)
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      }, 120_000)

      it('gives KEDA the log-in of the workers by reference, and never the values', async () => {
        await until(async () => (await login()) !== undefined, 'there is a TriggerAuthentication')
        const found = (await login())!
        const refer = (parameter: string, key: string) => ({ parameter, name: platformSecretName, key })
        expect(found.spec).toEqual({
          secretTargetRef: [
            refer('username', 'KAFKA_SASL_USERNAME'),
            refer('password', 'KAFKA_SASL_PASSWORD_FILE'),
            refer('ca', 'KAFKA_SSL_CA_FILE'),
          ],
        })
        const secret = (await cluster.get<{ data: Record<string, string> }>(
          'secret',
          platformSecretName,
          releaseNamespace,
        ))!
        const [username, password, ca] = found.spec.secretTargetRef.map(({ key }) =>
          Buffer.from(secret.data[key]!, 'base64').toString(),
        )
        // KEDA takes them as they are: the end of the file's line is not in the password.
        expect([username, password]).toEqual(['admin', adminPassword])
        expect(ca).toBe(readFileSync(cluster.login['KAFKA_SSL_CA_FILE']!, 'utf8'))
        for (const object of [found, await live(), await deployment()])
          expect(JSON.stringify(object)).not.toContain(adminPassword)
      }, 120_000)

      it("uses only what KEDA's Kafka scaler takes, in its words, from where it takes it", async () => {
        const { scalers } = JSON.parse(readFileSync(join(crds, publishedScalers), 'utf8')) as {
          scalers: Scaler[]
        }
        const { parameters } = scalers.find(({ type }) => type === 'kafka')!
        const open = parameters.filter(({ metadataVariableReadable }) => metadataVariableReadable)
        const words = new Map(open.map((parameter) => [parameter.name, parameter.allowedValue]))
        for (const { metadata } of (await live())!.spec.triggers) {
          expect([...words.keys()]).toEqual(expect.arrayContaining(Object.keys(metadata)))
          for (const [key, value] of Object.entries(metadata))
            expect(words.get(key) ?? [value]).toContain(value)
        }
        const secret = parameters.filter((each) => each.triggerAuthenticationVariableReadable)
        expect(secret.map((parameter) => parameter.name)).toEqual(
          expect.arrayContaining((await login())!.spec.secretTargetRef.map(({ parameter }) => parameter)),
        )
      })

      it('tells what KEDA says', async () => {
        await cluster.apply(channel('{mode: KEDA}'))
        await until(async () => (await live())?.spec.minReplicaCount === 1, 'one worker stays awake')
        expect((await live())?.spec).not.toHaveProperty('initialCooldownPeriod')
        await scaling('KEDANotSeen', 'Unknown')
        await kedaSays({
          ...ready,
          status: 'False',
          reason: 'ScaledObjectCheckFailed',
          message: 'no brokers',
        })
        await cluster.condition('nch/keda', 'ScalingActive', 'False', {
          reason: 'ScaledObjectNotReady',
          message: 'KEDA says: no brokers',
        })
        await kedaSays(ready)
        await scaling('ScaledByKEDA')
      }, 120_000)

      it('steps back from a HorizontalPodAutoscaler of somebody else, until that is gone', async () => {
        await kubectl('autoscale', 'deployment', name, '--name=elsewhere', '--max=3')
        await cluster.condition('nch/keda', 'ScalingActive', 'False', {
          reason: 'AnotherOwner',
          message:
            'HorizontalPodAutoscaler elsewhere sets the replicas too, so the operator does not: delete it, or set scaling.mode to None',
        })
        await until(async () => (await live()) === undefined, 'the ScaledObject is gone')
        await kubectl('delete', 'hpa', 'elsewhere')
        await until(async () => (await live()) !== undefined, 'there is a ScaledObject again')
        await kedaSays(ready)
        await scaling('ScaledByKEDA')
      }, 120_000)

      it('says why the ScaledObject is refused, and delivers all the same', async () => {
        await cluster.apply(atRest)
        const refuses = async () =>
          (
            await cluster.control.kubectl([
              '-n',
              releaseNamespace,
              'patch',
              'scaledobject',
              name,
              '--type=merge',
              '--dry-run=server',
              '-p',
              '{"spec":{"minReplicaCount":2}}',
            ])
          ).code !== 0
        await until(refuses, 'the policy is in force')
        await cluster.apply(channel('{mode: KEDA, minReplicas: 2}'))
        await cluster.condition('nch/keda', 'WorkersReady', 'True', {
          reason: 'ScaledObjectRefused',
          message: /no more than one at rest/,
        })
        await kubectl('delete', 'validatingadmissionpolicybinding,validatingadmissionpolicy', 'at-rest')
        await until(async () => !(await refuses()), 'the policy is gone')
        await cluster.apply(channel('{mode: KEDA}'))
        await cluster.condition('nch/keda', 'WorkersReady', 'True', { reason: 'WorkersReady' })
      }, 120_000)

      it('repairs both objects, and leaves alone what KEDA adds', async () => {
        await merge({
          metadata: { labels: { 'scaledobject.keda.sh/name': name }, finalizers: ['finalizer.keda.sh'] },
          spec: { maxReplicaCount: 99 },
        })
        await until(async () => (await live())?.spec.maxReplicaCount === 3, 'the most are ours again')
        expect((await live())?.metadata).toMatchObject({
          labels: { 'scaledobject.keda.sh/name': name },
          finalizers: ['finalizer.keda.sh'],
        })
        await merge({ metadata: { finalizers: null } })
        for (const [kind, of] of [
          ['scaledobject', name],
          ['triggerauthentication', triggerAuthenticationName],
        ] as const) {
          const uid = async () =>
            (await cluster.get<{ metadata: { uid: string } }>(kind, of, releaseNamespace))?.metadata.uid
          const before = await uid()
          await kubectl('delete', kind, of)
          await until(async () => ![undefined, before].includes(await uid()), `there is a new ${kind}`)
        }
      }, 120_000)

      it('lets KEDA bring a suspended channel to no workers', async () => {
        const annotations = async () => (await live())?.metadata.annotations ?? {}
        await kedaSays(ready)
        await cluster.apply(channel('{mode: KEDA}', 'suspend: true'))
        await until(
          async () => (await annotations())['autoscaling.keda.sh/paused-replicas'] === '0',
          'KEDA is told to pause',
        )
        await scaling('Suspended')
        await cluster.apply(channel('{mode: KEDA}'))
        await until(
          async () => !('autoscaling.keda.sh/paused-replicas' in (await annotations())),
          'KEDA is told to go on',
        )
        await scaling('ScaledByKEDA')
      }, 120_000)

      it('hands the replicas over to the operator once KEDA has let go, and then to nobody', async () => {
        await kubectl('scale', 'deployment', name, '--replicas=3')
        await merge({ metadata: { finalizers: ['finalizer.keda.sh'] } })
        await cluster.apply(channel('{mode: Native, maxReplicas: 2}'))
        await cluster.condition('nch/keda', 'ScalingActive', 'False', {
          reason: 'AnotherOwner',
          message: `ScaledObject ${name} sets the replicas too, so the operator does not: delete it, or set scaling.mode to None`,
        })
        expect((await deployment())?.spec.replicas).toBe(3)
        await merge({ metadata: { finalizers: null } })
        await until(async () => (await live()) === undefined, 'the ScaledObject is gone')
        await until(async () => (await deployment())?.spec.replicas === 2, 'the operator scales')
        await cluster.apply(channel('{mode: None}'))
        await scaling('Disabled')
        expect((await deployment())?.spec.replicas).toBe(2)
        expect(await live()).toBeUndefined()
      }, 120_000)

      it('leaves the ScaledObject of somebody else alone, and steps back from it', async () => {
        // The mode is None: who sets the replicas may well use this very name.
        await foreign(name)
        await cluster.apply(channel('{mode: None}', 'workers: {labels: {looked: again}}'))
        await until(
          async () => (await deployment())?.spec.template.metadata?.labels?.['looked'] === 'again',
          'the channel has been looked at',
        )
        expect((await live())?.spec.triggers).toMatchObject([{ type: 'cron' }])
        await cluster.apply(channel('{mode: Native}'))
        await cluster.condition('nch/keda', 'ScalingActive', 'False', {
          reason: 'AnotherOwner',
        })
        await kubectl('delete', 'scaledobject', name)
        await cluster.condition('nch/keda', 'ScalingActive', 'True')
        await foreign('elsewhere')
        await cluster.condition('nch/keda', 'ScalingActive', 'False', {
          reason: 'AnotherOwner',
          message:
            'ScaledObject elsewhere sets the replicas too, so the operator does not: delete it, or set scaling.mode to None',
        })
        await kubectl('delete', 'scaledobject', 'elsewhere')
        await cluster.condition('nch/keda', 'ScalingActive', 'True')
      }, 180_000)

      it('goes on while KEDA is taken away, and with it when it is back', async () => {
        await cluster.apply(channel('{mode: KEDA}'))
        await scaling('KEDANotSeen', 'Unknown')
        await kubectl('delete', 'crd', 'scaledobjects.keda.sh', 'triggerauthentications.keda.sh')
        await scaling('KEDANotInstalled', 'False')
        await cluster.condition('nch/keda', 'Ready', 'True')
        await install()
        await until(async () => (await live()) !== undefined, 'there is a ScaledObject again')
        await until(async () => (await login()) !== undefined, 'and a TriggerAuthentication')
      }, 180_000)

      it('takes the log-in away where Kafka asks for none', async () => {
        expect(await login()).toBeDefined()
        expect(await operator.stop()).toBe(0)
        operator = cluster.startOperator()
        await until(async () => (await login()) === undefined, 'there is no TriggerAuthentication')
        await until(async () => {
          const triggers = (await live())?.spec.triggers
          const isOpen = ({ metadata, authenticationRef }: Live['spec']['triggers'][number]) =>
            !('sasl' in metadata) && authenticationRef === undefined
          return triggers?.every(isOpen) === true
        }, 'no trigger logs in')
      }, 120_000)

      it('has asked for nothing that its roles do not allow', async () => {
        expect((await cluster.requests()).filter(({ forbidden }) => forbidden)).toEqual([])
      })
    },
    { secured: true },
  )
})
