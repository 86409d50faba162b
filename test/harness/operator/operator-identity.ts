import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type PolicyRule, releaseRules, servedRules } from '../../../operator/release/roles.ts'
import { until } from '../balance/load.ts'
import type { ControlPlane } from '../kubernetes/control-plane.ts'

/** The service account, and its roles. */
export const account = 'carillon-operator'

export interface OperatorIdentity {
  /** As the audit log names it. */
  user: string
  kubeconfig: string
}

/** A service account with exactly the roles that the release ships, and a kubeconfig of it. */
export async function createOperatorIdentity(
  { kubeconfig, kubectl, run }: Pick<ControlPlane, 'kubeconfig' | 'kubectl' | 'run'>,
  namespace: string,
): Promise<OperatorIdentity> {
  const user = `system:serviceaccount:${namespace}:${account}`
  await run(['create', 'serviceaccount', account, '-n', namespace])
  await run(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: roles(namespace) }))
  // The API server learns of roles that were just written a little later.
  const isBound = async (...what: string[]) =>
    (await kubectl(['auth', 'can-i', ...what, '--as', user])).code === 0
  await until(
    async () =>
      (await isBound('create', 'deployments.apps', '-n', namespace)) &&
      (await isBound('list', 'notificationchannels.carillon.dev', '-A')),
    'the roles of the operator are in force',
  )
  const token = await run(['create', 'token', account, '-n', namespace, '--duration=24h'])
  const config = JSON.parse(await readFile(kubeconfig, 'utf8')) as {
    users: object[]
    contexts: { context: { user: string } }[]
  }
  config.users = [{ name: account, user: { token: token.trim() } }]
  config.contexts[0]!.context.user = account
  const path = join(dirname(kubeconfig), `${account}.kubeconfig`)
  await writeFile(path, JSON.stringify(config), { mode: 0o600 })
  return { user, kubeconfig: path }
}

function roles(namespace: string): object[] {
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace }]
  const object = (kind: string, place: object, content: object) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
    metadata: { name: account, ...place },
    ...content,
  })
  const bound = (kind: string) => ({
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: account },
    subjects,
  })
  const rules = (of: readonly PolicyRule[]) => ({ rules: of })
  return [
    object('Role', { namespace }, rules(releaseRules)),
    object('RoleBinding', { namespace }, bound('Role')),
    object('ClusterRole', {}, rules(servedRules)),
    object('ClusterRoleBinding', {}, bound('ClusterRole')),
  ]
}
