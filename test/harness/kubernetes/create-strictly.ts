import type { CommandResult, ControlPlane } from './control-plane.ts'

/** Has the API server judge an object whose fields it must all know, and keep none of it. */
export function createStrictly(
  control: Pick<ControlPlane, 'kubectl'>,
  object: object,
  namespace: string,
): Promise<CommandResult> {
  return control.kubectl(
    ['create', '--validate=strict', '--dry-run=server', '-n', namespace, '-f', '-'],
    JSON.stringify(object),
  )
}
