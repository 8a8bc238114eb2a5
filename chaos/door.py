"""nginx in front of the nodes, as an operator sets it up: one name; who does not answer is left aside a while."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.real_parts.processes import Process
from tests.real_parts.system_packages import system_program

# A request that was sent is not sent again to another node: it may have been done. What was never sent is.
_CONFIGURATION = """
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxied;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream nodes {{
    least_conn;
    {nodes}
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://nodes;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_connect_timeout 1s;
      proxy_read_timeout 12s;
      proxy_next_upstream error timeout;
    }}
  }}
}}
"""


def start(folder: Path, port: int, nodes: Sequence[int]) -> Process:
    """nginx on ``port``, in front of the nodes on these ports; ready."""
    servers = " ".join(f"server 127.0.0.1:{node} max_fails=1 fail_timeout=2s;" for node in nodes)
    (folder / "nginx.conf").write_text(_CONFIGURATION.format(port=port, nodes=servers))
    command = [system_program("nginx"), "-p", ".", "-c", "nginx.conf", "-g", "daemon off; master_process off;"]
    process = Process(command, cwd=folder)
    process.wait_for_port(port)
    return process
