"""What is printed and written for people and pipelines. Pure: plan, events or state in, text out."""
