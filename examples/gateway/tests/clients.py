"""Talks to the gateway as its users do: with the official OpenAI client, with LiteLLM's documented Python
example, and with a browser.

    python tests/clients.py target/debug/gateway [SCREENSHOT]

needs the packages in tests/requirements.txt, and Debian's chromium and chromium-driver.
"""

import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from decimal import Decimal

import openai
import requests
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

ADMIN, CALLER = "sk-admin", "sk-caller"


def start(binary, folder):
    """Starts the gateway with its mock provider, and returns the process and the address."""
    with open(f"{folder}/map.json", "w", encoding="utf-8") as file:
        file.write(catalogue("0.0000025"))
    env = os.environ | {"LITELLM_MASTER_KEY": ADMIN, "GATEWAY_KEYS": CALLER}
    arguments = [binary, "--demo", "--listen", "127.0.0.1:0", "--map", f"{folder}/map.json"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, env=env, text=True)
    return process, process.stdout.readline().split()[2].rstrip("/,")


def catalogue(price):
    entry = '{"litellm_provider": "%s", "input_cost_per_token": %s, "output_cost_per_token": 0.00001}'
    models = {"gpt-4o": "openai", "gpt-4o-mini": "openai", "text-embedding-3-small": "openai", "claude-sonnet-4-5": "anthropic"}
    return "{%s}" % ", ".join(f'"{model}": {entry % (provider, price)}' for model, provider in models.items())


def price(prompt_tokens, completion_tokens):
    """What a call costs by the map above, which has no price of its own for cached tokens."""
    return prompt_tokens * Decimal("0.0000025") + completion_tokens * Decimal("0.00001")


def check(name, actual, expected):
    assert actual == expected, f"{name}: {actual!r} is not {expected!r}"
    print("ok", name)


def openai_client(url):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=CALLER)
    question = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}

    raw = client.chat.completions.with_raw_response.create(**question)
    usage = raw.parse().usage
    cost = Decimal(raw.headers["x-litellm-response-cost"])
    check("a chat's cost in the header", cost, price(usage.prompt_tokens, usage.completion_tokens))

    chunks = list(client.chat.completions.create(**question, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    check("a chat's stream", text.strip(), "Because air scatters blue light more than red light.")
    cost = Decimal(chunks[-1].response_cost["total"])
    usage = chunks[-1].usage
    check("a stream's cost in its last chunk", cost, price(usage.prompt_tokens, usage.completion_tokens))

    with client.chat.completions.stream(**question) as stream:
        for _ in stream:
            pass
        usage = stream.get_final_completion().usage
    check("a collected stream's usage", usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)

    raw = client.responses.with_raw_response.create(model="gpt-4o-mini", input="Why?")
    usage = raw.parse().usage
    cost = Decimal(raw.headers["x-litellm-response-cost"])
    check("a response's cost", cost, price(usage.input_tokens, usage.output_tokens))
    events = list(client.responses.create(model="gpt-4o-mini", input="Why?", stream=True))
    usage = next(event.response.usage for event in events if event.type == "response.completed")
    cost = Decimal(events[-1].response_cost["total"])
    check("a response's stream's cost", cost, price(usage.input_tokens, usage.output_tokens))

    raw = client.embeddings.with_raw_response.create(model="text-embedding-3-small", input="sky")
    cost = Decimal(raw.headers["x-litellm-response-cost"])
    check("an embedding's cost", cost, price(raw.parse().usage.prompt_tokens, 0))
    names = [model.id for model in client.models.list()]
    check("the models", names, ["claude-sonnet-4-5", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small"])

    try:
        client.chat.completions.create(model="gpt-5", messages=[])
        raise AssertionError("a model that is not served was answered")
    except openai.BadRequestError as error:
        check("an unknown model", "Invalid model name passed in model=gpt-5" in str(error), True)
    try:
        openai.OpenAI(base_url=f"{url}/v1", api_key="sk-nobody").models.list()
        raise AssertionError("a key of nobody was accepted")
    except openai.AuthenticationError as error:
        check("a key of nobody", error.status_code, 401)


def sync_models(proxy_url, admin_token):
    """LiteLLM's documented call."""
    response = requests.post(
        f"{proxy_url}/reload/model_cost_map",
        headers={"Authorization": f"Bearer {admin_token}"},
        timeout=60,
    )
    return response.json()


def documented(url, folder):
    with open(f"{folder}/map.json", "w", encoding="utf-8") as file:
        file.write(catalogue("0.000005"))
    result = sync_models(url, ADMIN)
    check("the message of a sync", result["message"], "Price data reloaded successfully! 4 models updated.")
    check("its time", datetime.fromisoformat(result["timestamp"]).utcoffset().total_seconds(), 0.0)
    check("a caller's sync", sync_models(url, CALLER)["detail"], "Access denied. Admin role required. Current role: internal_user")


def browser(url, screenshot):
    options = webdriver.ChromeOptions()
    for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,1600"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        page = url.replace("http://", f"http://admin:{ADMIN}@")
        for _ in range(60):
            driver.get(f"{page}/")
            if len(driver.find_elements(By.CSS_SELECTOR, "#spend tbody tr")) == 4:
                break
            time.sleep(0.5)
        rows = driver.find_elements(By.CSS_SELECTOR, "#spend tbody tr")
        names = sorted(row.find_element(By.TAG_NAME, "code").text for row in rows)
        check("the page's models", names, ["claude-sonnet-4-5", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small"])
        bars = driver.find_elements(By.CSS_SELECTOR, "svg[role=img] rect")
        drawn = sum(bar.size["height"] > 0 and bar.size["width"] > 0 for bar in bars)
        check("the chart has bars", drawn >= 4, True)
        heights = [float(bar.get_attribute("y")) for bar in bars]
        check("the bars are inside the chart", all(-0.001 <= y <= 160 for y in heights), True)
        diff = driver.find_element(By.ID, "diff").text.splitlines()
        check("the last diff", diff[0], "gpt-4o: input_cost_per_token: 0.0000025 -> 0.000005 (x2)")

        body = '{"model": "gpt-4o", "choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}'
        driver.find_element(By.NAME, "body").send_keys(body)
        driver.find_element(By.TAG_NAME, "button").click()
        # The click does not wait for the page that it asks for.
        driver.implicitly_wait(60)
        receipt = driver.find_element(By.ID, "receipt").text.splitlines()
        check("the receipt", receipt[0], "gpt-4o: 0.01 USD")
        check("the form keeps its text", driver.find_element(By.NAME, "body").get_attribute("value"), body)
        errors = [entry["message"] for entry in driver.get_log("browser") if "favicon" not in entry["message"]]
        check("the browser's complaints", errors, [])
        if screenshot:
            driver.save_screenshot(screenshot)
    finally:
        driver.quit()


def main(binary, screenshot=None):
    with tempfile.TemporaryDirectory() as folder:
        process, url = start(binary, folder)
        try:
            openai_client(url)
            documented(url, folder)
            browser(url, screenshot)
        finally:
            process.terminate()
            check("the gateway's exit status", process.wait(timeout=60), 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
