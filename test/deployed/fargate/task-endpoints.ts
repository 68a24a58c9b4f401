import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a task's containers may ask their link-local endpoints. */
export interface ServedTask {
  /** Fresh credentials of the task's role, in the form of the container credentials endpoint. */
  credentials(): Promise<object>;
  /** Metadata version 4 of the task. */
  metadata: object;
}

/** The endpoints that Fargate gives each task: credentials of its role, and metadata. Known by a secret path. */
export class TaskEndpoints {
  private readonly tasks = new Map<string, ServedTask>();
  private readonly server: Server;

  private constructor() {
    this.server = createServer(async (request, response) => {
      const [, token = '', what, more] = (request.url ?? '').split('/');
      const task = this.tasks.get(token);
      const answer = (status: number, body: object) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      try {
        if (task && what === 'credentials') answer(200, await task.credentials());
        else if (task && what === 'metadata' && more === 'task') answer(200, task.metadata);
        else answer(404, { message: `There is no ${request.url}.` });
      } catch (error) {
        answer(500, { message: String(error) });
      }
    });
  }

  static async listen(): Promise<TaskEndpoints> {
    const endpoints = new TaskEndpoints();
    await new Promise<void>((resolve) => endpoints.server.listen(0, '127.0.0.1', resolve));
    return endpoints;
  }

  /** @returns the variables by which a container finds its endpoints, and what ends them */
  serve(task: ServedTask): { variables: Record<string, string>; end: () => void } {
    const token = randomBytes(24).toString('hex');
    this.tasks.set(token, task);
    const { port } = this.server.address() as AddressInfo;
    const base = `http://127.0.0.1:${port}/${token}`;
    return {
      variables: {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${base}/credentials`,
        ECS_CONTAINER_METADATA_URI_V4: `${base}/metadata`,
      },
      end: () => void this.tasks.delete(token),
    };
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
