import type { KubernetesObject } from './resource-kind.ts'

/** What server-side apply records of one manager, https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management. */
interface ManagedFields {
  manager?: string
  operation?: string
  subresource?: string
  fieldsV1?: object
}

/**
 * Whether a manager owns a field of a live object that it no longer wants: only another apply takes such a field away. Fields that others added are none of
 * its. Pure.
 */
export function ownsMore(live: KubernetesObject, wanted: unknown, manager: string): boolean {
  const entries = (live.metadata.managedFields ?? []) as ManagedFields[]
  return entries
    .filter(
      (entry) => entry.manager === manager && entry.operation === 'Apply' && entry.subresource === undefined,
    )
    .some(({ fieldsV1 }) => !covers(wanted, fieldsV1 ?? {}))
}

/** Whether a value has every field of a set: `f:name` is a field, `k:{…}` the item of a list with these keys, `v:…` one of a set. */
function covers(value: unknown, fields: object): boolean {
  return Object.entries(fields).every(([path, inner]: [string, object]) => {
    const name = path.slice(2)
    if (path.startsWith('f:')) {
      const field = (value as Record<string, unknown> | undefined)?.[name]
      return field !== undefined && covers(field, inner)
    }
    if (path.startsWith('k:')) {
      const keys = Object.entries(JSON.parse(name) as object)
      const item = (value as Record<string, unknown>[]).find((each) =>
        keys.every(([key, wanted]) => each[key] === wanted),
      )
      return item !== undefined && covers(item, inner)
    }
    if (path.startsWith('v:')) return (value as unknown[]).includes(JSON.parse(name))
    // `.` is the object itself.
    return true
  })
}
