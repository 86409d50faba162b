import { beforeAll, expect, it } from 'vitest'
import { childName } from '../../operator/channel/names.ts'
import { triggerAuthenticationName } from '../../operator/release/names.ts'
import { type PolicyRule, releaseRules, servedRules } from '../../operator/release/roles.ts'
import { until } from '../harness/balance/load.ts'
import type { AuditedRequest } from '../harness/kubernetes/audit.ts'
import { installCrds, publishedCrds } from '../harness/kubernetes/published-crds.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import { account } from '../harness/operator/operator-identity.ts'
import { describePart } from '../harness/parts/describe-part.ts'
import type { RoleProcess } from '../harness/process/role.ts'

const channel = (name: string, scaling: string, workers = '{}') => `
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: ${name}, namespace: shop}
spec:
  type: email
  providers: [{name: a, type: smtp, smtp: {host: smtp.example.com, from: "shop@example.com"}, secretRef: {name: smtp}}]
  scaling: ${scaling}
  workers: ${workers}
---
`
/** Everything that a tenant may say of the pods, some of it not as the API server stores it: none of it may look like a change when it is compared with what the API server made of it. */
const spread =
  '{podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: zone, labelSelector: {matchLabels: {team: a}}}}]}}'
const wordy = `{resources: {requests: {cpu: "0.1", memory: 1024Mi}, limits: {cpu: 1, memory: "1.5Gi"}}, nodeSelector: {kubernetes.io/os: linux}, tolerations: [{operator: Exists}, {key: a, value: b, effect: NoSchedule}, {key: "", operator: Exists, value: ""}], affinity: ${spread}, priorityClassName: system-node-critical, labels: {team: a}, annotations: {note: b}}`
const template = `
apiVersion: carillon.dev/v1alpha1
kind: NotificationTemplate
metadata: {name: hello, namespace: shop}
spec: {content: {sms: {text: hello}}}
---
`
const secret = `
apiVersion: v1
kind: Secret
metadata: {name: smtp, namespace: shop}
stringData: {username: shop, password: first}
---
`
const isWrite = ({ verb }: AuditedRequest) => !['get', 'list', 'watch'].includes(verb)

describePart('crds', (crds) => {
  describeOperatorCluster(
    (cluster) => {
      let operator: RoleProcess

      beforeAll(async () => {
        await installCrds(cluster.control, crds, ...Object.values(publishedCrds))
        operator = cluster.startOperator(cluster.login)
        await operator.ready()
      }, 120_000)

      const ready = async () => {
        for (const name of ['nch/plain', 'nch/asleep', 'nch/keda', 'ntpl/hello'])
          await cluster.condition(name, 'Ready', 'True')
        for (const name of ['plain', 'asleep'])
          await cluster.condition(`nch/${name}`, 'ScalingActive', 'True')
        // There is no KEDA that would look at it.
        await cluster.condition('nch/keda', 'ScalingActive', 'Unknown')
        // Numbers alone may be written half a minute after the conditions.
        const counted = async (name: string) => {
          const { status } = (await cluster.get<{ status: { lag?: number; deadLetters?: number } }>(
            'nch',
            name,
          ))!
          return status.lag === 0 && status.deadLetters === 0
        }
        for (const name of ['plain', 'asleep', 'keda'])
          await until(() => counted(name), `the numbers of ${name} are told`)
      }
      const reconciled = async () => {
        const text = await (await fetch(`${operator.health()}/metrics`)).text()
        const counts = [
          ...text.matchAll(/^controller_runtime_reconcile_total\{controller="notification.*\} (\d+)$/gm),
        ]
        return counts.reduce((sum, [, count]) => sum + Number(count), 0)
      }

      const writes = async () =>
        (await cluster.requests()).filter(isWrite).filter(({ resource }) => resource !== 'leases')
      /** Waits until pods, Deployments and conditions have come to rest, and the autoscaler has looked once more. */
      const quiet = async () => {
        let last = { count: -1, at: 0 }
        await until(async () => {
          const count = (await writes()).length
          if (count !== last.count) last = { count, at: Date.now() }
          return Date.now() - last.at > 7_000
        }, 'nothing is written any more')
      }

      it('lives a whole life: makes, scales, changes and removes all kinds of things', async () => {
        await cluster.apply(
          secret +
            channel('plain', '{}', wordy) +
            channel('asleep', '{minReplicas: 0, idleAfter: 1s}') +
            channel('keda', '{mode: KEDA}') +
            template,
        )
        await ready()
        const asleep = childName({ namespace: 'shop', name: 'asleep' })
        await until(async () => {
          const found = await cluster.get<{ spec: { replicas: number } }>(
            'deployment',
            asleep,
            releaseNamespace,
          )
          return found?.spec.replicas === 0
        }, 'the autoscaler has scaled')
        const { kubectl } = cluster.control
        const edit = '{"spec":{"maxUnavailable":2}}'
        await kubectl(['patch', 'pdb', asleep, '-n', releaseNamespace, '--type=merge', '-p', edit])
        const told = [
          'get',
          'events',
          '-n',
          releaseNamespace,
          '--field-selector',
          'reason=DriftCorrected',
          '-o',
          'name',
        ]
        await until(async () => (await kubectl(told)).stdout !== '', 'an Event tells what was put back')
      }, 180_000)

      it('writes nothing when it looks again and nothing has changed', async () => {
        await quiet()
        const before = (await writes()).length
        const looks = await reconciled()
        // A Secret's new label is a reason to look at every channel that names it, and no change to any of them.
        await cluster.control.run(['label', 'secret', 'smtp', '-n', 'shop', 'looked=again'])
        await until(async () => (await reconciled()) >= looks + 3, 'all channels have been looked at')
        expect((await writes()).slice(before)).toEqual([])
      }, 120_000)

      it('writes nothing but its lease when another one takes over', async () => {
        const versions = async () => {
          const stdout = await cluster.control.run([
            'get',
            'deployments,secrets,poddisruptionbudgets,podmonitors,scaledobjects,triggerauthentications',
            '-n',
            releaseNamespace,
            '-o',
            'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}',
          ])
          return stdout.trim().split('\n').toSorted()
        }
        const told = () =>
          cluster.control.run(['get', 'nch', '-n', 'shop', '-o', 'jsonpath={.items[*].status}'])
        const [before, toldBefore] = [await versions(), await told()]
        const count = (await cluster.requests()).length
        expect(await operator.stop()).toBe(0)
        operator = cluster.startOperator(cluster.login)
        await operator.ready()
        await until(
          async () => operator.output().includes('Leads') && (await reconciled()) >= 4,
          'all has been looked at',
        )
        expect(await told()).toBe(toldBefore)
        const writes = (await cluster.requests()).slice(count).filter(isWrite)
        expect(writes.filter(({ resource }) => resource !== 'leases')).toEqual([])
        expect(await versions()).toEqual(before)
      }, 120_000)

      it('needs every verb of its roles, and no other', async () => {
        await cluster.apply(channel('keda', '{mode: None}'))
        await until(
          async () =>
            (await cluster.get(
              'scaledobject',
              childName({ namespace: 'shop', name: 'keda' }),
              releaseNamespace,
            )) === undefined,
          'the ScaledObject is gone',
        )
        await cluster.control.run(['delete', 'nch', '--all', '-n', 'shop'])
        await until(async () => {
          const left = await cluster.control.run([
            'get',
            'deployments,pdb',
            '-n',
            releaseNamespace,
            '-o',
            'name',
          ])
          return left.trim() === ''
        }, 'nothing is left of the channels')
        // Kafka asks for no log-in any more.
        expect(await operator.stop()).toBe(0)
        operator = cluster.startOperator()
        await until(
          async () =>
            (await cluster.get('triggerauthentication', triggerAuthenticationName, releaseNamespace)) ===
            undefined,
          'the TriggerAuthentication is gone',
        )
        const requests = await cluster.requests()
        expect(requests.filter(({ forbidden }) => forbidden)).toEqual([])
        expect(usedVerbs(requests)).toEqual(grantedVerbs())
      }, 120_000)

      it('needs nothing in namespaces that it does not serve, and leaves what is there alone', async () => {
        const elsewhere = childName({ namespace: 'default', name: 'elsewhere' })
        await cluster.apply(
          (secret + channel('elsewhere', '{}')).replaceAll('namespace: shop', 'namespace: default'),
        )
        await cluster.condition('nch/elsewhere', 'Ready', 'True', { namespace: 'default' })
        const uid = async () =>
          (await cluster.get<{ metadata: { uid: string } }>('deployment', elsewhere, releaseNamespace))
            ?.metadata.uid
        const before = await uid()
        await operator.stop()
        const { run } = cluster.control
        await run(['delete', 'clusterrolebinding', account])
        const bind = ['create', 'rolebinding', 'carillon-served', '-n', 'shop', `--clusterrole=${account}`]
        await run([...bind, `--serviceaccount=${releaseNamespace}:${account}`])
        operator = cluster.startOperator({ CARILLON_WATCH_NAMESPACES: 'shop' })
        await cluster.apply(channel('plain', '{}'))
        await cluster.condition('nch/plain', 'Ready', 'True')
        expect(await uid()).toBe(before)
        expect((await cluster.requests()).filter(({ forbidden }) => forbidden)).toEqual([])
      }, 120_000)
    },
    { secured: true },
  )
})

/** `release deployments.apps patch`: where, what and which verb. */
function usedVerbs(requests: readonly AuditedRequest[]): string[] {
  const served = new Set(servedRules.flatMap(({ resources }) => resources))
  const used = requests.flatMap(({ verb, resource, group, namespace, name, code }) => {
    // Of the kinds in both places only Secrets are: those of the release bear our label, or our name.
    const isServed = served.has(resource) && namespace !== releaseNamespace
    const verbs = verb === 'patch' && code === 201 ? ['patch', 'create'] : [verb]
    const place = isServed ? 'served' : 'release'
    const isNamed = releaseRules.some(
      ({ resources, verbs, resourceNames }) =>
        resources[0] === resource && verbs.includes(verb) && resourceNames !== undefined,
    )
    const named = isNamed ? ` ${name}` : ''
    return verbs.map((each) => `${place} ${resource}.${group} ${each}${named}`)
  })
  return [...new Set(used)].toSorted()
}

function grantedVerbs(): string[] {
  const of = (place: string, rules: readonly PolicyRule[]) =>
    rules.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
      verbs.map((verb) => {
        const named = resourceNames ? ` ${resourceNames.join(' ')}` : ''
        return `${place} ${resources[0]}.${apiGroups[0]} ${verb}${named}`
      }),
    )
  return [...of('release', releaseRules), ...of('served', servedRules)].toSorted()
}
