"""GitHub and GitLab: comments and labels of one pull or merge request. What a comment says and which one is ours to change is decided elsewhere."""
