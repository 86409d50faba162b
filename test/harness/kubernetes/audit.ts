import { readFile } from 'node:fs/promises'

/** One request that the API server took, as its audit log has it. */
export interface AuditedRequest {
  user: string
  /** `patch`; a server-side apply that made its object counts as `create` as well, which RBAC asks for. */
  verb: string
  /** With its subresource: `deployments/scale`. */
  resource: string
  group: string
  namespace: string
  name: string
  /** HTTP status. */
  code: number
  /** Whether RBAC said no. */
  forbidden: boolean
}

interface AuditEvent {
  stage: string
  verb: string
  user: { username: string }
  objectRef?: {
    resource?: string
    subresource?: string
    apiGroup?: string
    namespace?: string
    name?: string
  }
  responseStatus?: { code?: number }
  annotations?: Record<string, string>
}

/** Every request of one user for a resource, in the order in which they ended; a watch counts once it has begun. */
export async function auditedRequests(log: string, user: string): Promise<AuditedRequest[]> {
  const text = await readFile(log, 'utf8')
  // The last line may be under way.
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines.flatMap((line) => {
    if (!line.includes(user)) return []
    const { stage, verb, user: from, objectRef, responseStatus, annotations } = JSON.parse(line) as AuditEvent
    const isCounted = stage === (verb === 'watch' ? 'ResponseStarted' : 'ResponseComplete')
    if (from.username !== user || objectRef?.resource === undefined) return []
    const forbidden = annotations?.['authorization.k8s.io/decision'] === 'forbid'
    if (!isCounted && !forbidden) return []
    const { resource, subresource, apiGroup = '', namespace = '', name = '' } = objectRef
    const code = responseStatus?.code ?? 0
    return [
      {
        user: from.username,
        verb,
        resource: subresource === undefined ? resource : `${resource}/${subresource}`,
        group: apiGroup,
        namespace,
        name,
        code,
        forbidden,
      },
    ]
  })
}
